"""The page: a Dash application that imports no torch."""
