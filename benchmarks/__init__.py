"""Measurements against a floor and a peer, each in one run: ``python benchmarks/run.py`` prints them all."""
