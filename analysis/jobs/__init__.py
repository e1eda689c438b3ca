"""Background jobs: submit, progress, cancel; each in a process of its own (no torch here)."""
