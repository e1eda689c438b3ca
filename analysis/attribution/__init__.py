"""Why a model answers as it does for an instance: attribution methods, what each needs, and how far to trust them."""
