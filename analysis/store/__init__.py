"""The run store: the only owner of run paths and file formats.

A run is a directory that one process appends to while others read it: see ``layout`` for the names of its files and
``frames`` for the framing. Imports no torch, so that the web process can read runs.
"""

from analysis.store.curves import Curve, CurveCache, curve, export_csv
from analysis.store.reader import Run
from analysis.store.runs import RunIndex, find_runs
from analysis.store.writer import RunWriter

__all__ = ["Curve", "CurveCache", "Run", "RunIndex", "RunWriter", "curve", "export_csv", "find_runs"]
