"""What views ask of the subject: its description, its activations, the answers to questions.

Everything here returns at once, or after a short wait: what is not computed yet is queued for the worker that holds the
model. The answer of a question is found by its key, so it does not matter who asked first, or when the server started.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import CutawayError, NotFound
from analysis.extraction.reader import Extraction
from analysis.jobs import Job
from analysis.layerinfo import LayerInfo
from analysis.questions import keys, registry
from analysis.results import Answer, Partials
from dashboard import services
from dashboard.queueing import queued, wait_for
from dashboard.selection import Selection
from dashboard.wording import job_name

WAIT_SECONDS = 1.2  # that a request waits for its answer before the page is told that it takes longer
SHOWN_JOBS = 24  # in the pulse


@dataclass(frozen=True)
class Described:
    """The subject. state: 'none' (the server has no subject), 'waiting', 'failed' or 'ready'.

    data: its description. answer: the same with its arrays. job: what computes it.
    """

    state: str
    data: dict[str, Any] | None = None
    answer: Answer | None = None
    job: Job | None = None


@dataclass(frozen=True)
class Extracting:
    """Activations of the sample. state as for ``Described``. reader: also while the rest is computed; None if nothing
    is there yet. key: '' while the subject is not described."""

    state: str
    reader: Extraction | None = None
    job: Job | None = None
    key: str = ""


@dataclass(frozen=True)
class Asked:
    """A question that was asked. state as for ``Described``; answer: when it is 'ready'. partial: what there is of it
    while it is 'waiting'."""

    state: str
    answer: Answer | None = None
    job: Job | None = None
    key: str = ""
    partial: Answer | None = None


def described() -> Described:
    """What is known of the subject. A job that described it is queued when the server starts."""
    found = services.current()
    if not found.settings.subject_name:
        return Described("none")
    job = found.jobs.find("subject", services.subject_params(found))
    answer: Answer | None = None
    if job is None and found.described:  # cleared from the list of jobs
        answer = next(iter(found.described.values()))
    elif job is not None and job.state == "done":
        known = found.described.get(job.id)
        answer = known or found.answers.get(str((job.result or {}).get("key")))
    elif job is not None:
        return Described("waiting" if job.active else "failed", job=job)
    if answer is None or not answer.path.exists() or _outdated(found, job):  # or somebody emptied the cache
        found.described.clear()
        return Described("waiting", job=found.jobs.get(services.submit_subject(found)))
    if job is not None and job.id not in found.described:
        found.described.clear()
        found.described[job.id] = answer
    return Described("ready", answer.json, answer, job)


def _outdated(found: services.Services, job: Job | None) -> bool:
    """Whether the demo whose subject this is has been trained since."""
    if found.settings.demo is None or job is None:
        return False
    trained = found.jobs.find("demo", services.demo_params(found, found.settings.demo))
    ended = trained.finished if trained and trained.state == "done" else None
    return ended is not None and ended > job.submitted


def layers() -> list[LayerInfo]:
    """The subject's layers that can be shown, in the order of the network; [] while it is not described."""
    data = described().data
    return [info for item in (data or {}).get("layers", []) if not (info := LayerInfo.from_json(item)).reason]


def checkpoint_of(selection: Selection) -> dict[str, Any] | None:
    """The checkpoint to ask about: ``{"name", "path", "sha256"}``; None for the weights that the subject came with.

    It is one of the subject's, else one of run A.

    Raises:
        NotFound: neither has a checkpoint of this name, or it cannot be read.
    """
    name = selection.checkpoint
    if name is None:
        return None
    for item in (described().data or {}).get("checkpoints", []):
        if item["name"] == name:
            return {"name": name, "path": item["path"], "sha256": item["sha256"]}
    for run in services.open_runs(selection.runs[:1]):
        if any(saved.name == name for saved in run.checkpoints()):
            path = run.checkpoint_path(name)
            return {"name": name, "path": str(path), "sha256": _digest(path)}
    raise NotFound(
        f"There is no checkpoint {name[:200]!r}.",
        "Choose one of the subject's, or choose the run that saved it as run A.",
    )


def sample_of(selection: Selection, description: dict[str, Any]) -> dict[str, Any]:
    """The sample that the selection asks for: ``{"n", "random_state", "include"}``."""
    return keys.sample_of(description, selection.n, include=selection.include)


def extraction(selection: Selection, *, again: bool = False, wait: float = WAIT_SECONDS) -> Extracting:
    """Activations of all layers over the sample; computed first if they are missing.

    Raises:
        CutawayError: the checkpoint is not there, or the job cannot be queued.
    """
    about = described()
    if about.data is None:
        return Extracting(about.state, job=about.job)
    found = services.current()
    checkpoint, sample = checkpoint_of(selection), sample_of(selection, about.data)
    key = keys.extraction_key(about.data, checkpoint, **sample)
    directory = found.settings.extractions_dir / key
    reader = _reader(directory)
    if reader is not None and reader.complete:
        return Extracting("ready", reader, key=key)
    params = {"checkpoint": checkpoint, "sample": sample, "key": key}

    def read() -> Extraction | None:
        return _reader(directory)

    def complete() -> bool:
        now = read()
        return now is not None and now.complete

    def name() -> str:
        return f"Activations of {sample['n']:,} instances"

    job = queued(found, "extract", params, name, 0, again, lambda: read() is not None)
    job = wait_for(found, job, wait, complete)
    if _changed(found, job, about):
        return Extracting("waiting", job=described().job)
    reader = read()
    # Shards that were given up are listed by the reader; the rest is there.
    done = reader is not None and (reader.complete or job.state == "done")
    return Extracting("ready" if done else _state(job), reader, job, key)


def ask(
    selection: Selection, question: str, *, again: bool = False, wait: float = WAIT_SECONDS, **params: Any
) -> Asked:
    """The answer to a question, if it is known or found within ``wait`` seconds; else it is on its way.

    A job that failed or was cancelled is not queued again, but for ``again`` or the button of ``failed_box``.

    Raises:
        CutawayError: the checkpoint is not there, there is no such question, or the job cannot be queued.
    """
    about = described()
    if about.data is None:
        return Asked(about.state, job=about.job)
    found, spec = services.current(), _spec(selection, question, params, about.data)
    key = spec["key"]
    answer = _known(found, key)
    if answer is not None:
        return Asked("ready", answer, key=key)

    def there() -> bool:
        return found.answers.get(key) is not None

    def name() -> str:
        told = {"titles": _titles(selection, params, about.data), "classes": (about.data or {}).get("classes")}
        return job_name(registry.get(question), params, told)

    job = queued(found, "question", spec, name, registry.get(question).priority, again, there)
    job = wait_for(found, job, wait, there)
    if _changed(found, job, about):
        return Asked("waiting", job=described().job)
    answer = _known(found, key)
    return Asked("ready", answer, job, key) if answer else _unanswered(found, job, key)


def known(selection: Selection, question: str, **params: Any) -> Asked:
    """What there is of a question without asking it: nothing is queued.

    state: 'none' if nobody asked it yet, or its answer is gone; else as of ``ask``.

    Raises:
        CutawayError: the checkpoint is not there, or there is no such question.
    """
    about = described()
    if about.data is None:
        return Asked(about.state, job=about.job)
    found, spec = services.current(), _spec(selection, question, params, about.data)
    key = spec["key"]
    answer = _known(found, key)
    if answer is not None:
        return Asked("ready", answer, key=key)
    job = found.jobs.find("question", spec)
    return Asked("none", key=key) if job is None or job.state == "done" else _unanswered(found, job, key)


def _spec(selection: Selection, question: str, params: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    """What the job of a question is asked for, its answer's key among it."""
    checkpoint, sample = checkpoint_of(selection), sample_of(selection, description)
    key = keys.answer_key(description, question, params, checkpoint, sample)
    return {"question": question, "params": params, "checkpoint": checkpoint, "sample": sample, "key": key}


def _unanswered(found: services.Services, job: Job, key: str) -> Asked:
    """A question whose answer is not there, with what there is of it."""
    return Asked(_state(job), None, job, key, Partials(found.answers.directory).get(key) if job.active else None)


def _titles(selection: Selection, params: dict[str, Any], description: dict[str, Any] | None) -> dict[str, str]:
    """What the views call attribution methods, by name; {} while that is not known."""
    if "method" not in params or description is None:
        return {}
    spec = _spec(selection, "attribution_methods", {"unit": params.get("unit", "")}, description)
    answer = _known(services.current(), spec["key"])
    return {str(item["name"]): str(item["title"]) for item in (answer.json["methods"] if answer else ())}


def pulse() -> list[Any]:
    """What changes when any answer does: [id, state, done] of the newest jobs of the model's queue."""
    jobs = [job for job in services.current().jobs.list(limit=4 * SHOWN_JOBS) if job.queue]
    return [[job.id, job.state, (job.progress or {}).get("done")] for job in jobs[:SHOWN_JOBS]]


def _reader(directory: Path) -> Extraction | None:
    try:
        return Extraction(directory)
    except (CutawayError, OSError):
        return None


def _known(found: services.Services, key: str) -> Answer | None:
    """An answer, its plain part kept in memory. A cache that was emptied has none."""
    if not (found.answers.directory / key).exists():
        return None

    def read() -> Answer:
        answer = found.answers.get(key)
        if answer is None:
            raise NotFound("The answer is damaged.", "It is computed again.")
        return answer

    try:
        return found.kept.get(key, read)
    except NotFound:
        return None


def _changed(found: services.Services, job: Job, about: Described) -> bool:
    """Whether the worker found the subject changed since it was described; then it is described anew."""
    changed = job.state == "failed" and (job.error or {}).get("message") == keys.CHANGED[0]
    described_at = (about.job.started if about.job else None) or 0.0
    if not changed or (job.finished or 0.0) < described_at:
        return False
    services.submit_subject(found)
    return True


def _state(job: Job) -> str:
    return "waiting" if job.active or job.state == "done" else "failed"


def _digest(path: Path) -> str:
    """SHA-256 of a file, kept as long as the file stays as it is.

    Raises:
        NotFound: it cannot be read.
    """
    try:
        status = path.stat()
        key = ("sha256", str(path), status.st_ino, status.st_mtime_ns, status.st_size)

        def compute() -> str:
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()

        return services.current().memo.get(key, compute)
    except OSError as error:
        raise NotFound(f"The checkpoint {path.name} cannot be read: {error}.", "Choose another one.") from error
