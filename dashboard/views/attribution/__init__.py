"""Why the model answers as it does for an instance, by several methods, and how far each can be trusted."""
