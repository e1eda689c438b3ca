"""Demos: one file each, with their registry."""
