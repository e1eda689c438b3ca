"""The weights that a demo's subject shows: those of its newest finished run."""

from __future__ import annotations

import os
from pathlib import Path

from analysis import Subject
from analysis.demos import run
from analysis.demos.plan import PlannedRun
from analysis.models.checkpoints import load_checkpoint

DIRECTORY = "CUTAWAY_DEMOS"  # environment variable: where the demos' runs are
UNTRAINED = "The weights shown are untrained: those of the demo's training are taken when it has finished."


def weights_of(planned: PlannedRun) -> Path | None:
    """The last checkpoint of the newest finished run that was planned so; None if it has not been trained yet."""
    folder = os.environ.get(DIRECTORY)
    found = run.find_finished(Path(folder), planned) if folder else None
    saved = found.checkpoints() if found else []
    return found.checkpoint_path(saved[-1].name) if found and saved else None


def put_into(subject: Subject, planned: PlannedRun) -> Subject:
    """The subject with the weights of its run. Until there is one it keeps those it starts from, and says so."""
    saved = weights_of(planned)
    if saved:
        subject.model.load_state_dict(load_checkpoint(saved).tensors)
    else:
        subject.weight_notes.append(UNTRAINED)
    return subject
