"""A user's model, opened: its layers and what they yield, its weights from files, and what happens without a part."""
