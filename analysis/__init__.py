"""Cutaway's computing half: records, stores, recorders, questions.

Nothing here imports dash, plotly or flask. Modules that need torch say so in their docstring; the web process
imports only those that do not.
"""
