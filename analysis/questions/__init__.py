"""Questions asked of a subject, answered by its worker: the list of them, their keys, and how they are run."""
