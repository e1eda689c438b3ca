"""The run store: the only owner of run paths and file formats."""
