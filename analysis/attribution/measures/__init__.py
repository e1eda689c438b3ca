"""How far a map can be believed: one file a measure, each with its source."""
