"""Progress of a job, seen from inside."""

from analysis.jobs import context as contexts
from analysis.jobs import files
from analysis.jobs.context import JobContext


def test_each_step_has_its_own_rate(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(contexts.time, "monotonic", lambda: now[0])
    context = JobContext(tmp_path)
    context.progress(0, 0, message="Opening")
    now[0] = 100.0  # a slow start is none of the next step's doing
    context.progress(640, 1000, "instances", "Extracting")  # nor is what was done before
    now[0] = 110.0
    context.progress(740, 1000, "instances", "Extracting")
    told = files.read_json(tmp_path / files.PROGRESS)
    assert told["rate"] == 10.0
    assert told["eta_s"] == 26.0
    context.progress(1, 8, "layers", "Tracing")  # another step is told at once
    assert files.read_json(tmp_path / files.PROGRESS)["message"] == "Tracing"
