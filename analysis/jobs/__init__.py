"""Background jobs: submit, progress, cancel; each in a process of its own (no torch here)."""

from analysis.jobs.queue import Job, Jobs, directory_for

__all__ = ["Job", "Jobs", "directory_for"]
