"""The Layers view: what each filter detects, what nobody detects, and what can go."""
