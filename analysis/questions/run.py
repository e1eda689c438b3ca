"""The worker's side of questions: holds the one warm session of its process, answers from the cache or by computing.

Which subject it is, its device and which pickles are trusted come from the command line of the server
(``context.settings``), never from a job.
"""

from __future__ import annotations

import importlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from analysis.errors import CutawayError, ParameterError
from analysis.extraction.reader import Extraction
from analysis.jobs.context import JobContext, Later
from analysis.models.hooks import Hooks, hooks_of, remove_others, set_aside
from analysis.questions import keys, registry
from analysis.results import Answer, Answers, Partials, key_of

OTHER = ("This was asked of another subject than the one this server was started with.", "Ask again.")
Checkpoint = dict[str, Any] | None
Sample = Mapping[str, Any]


@dataclass
class Held:
    """The open session. subject: its name. hooks: those the model came with. now: checkpoint, sample and context of the
    job at work, and before it of the one that waits for that."""

    subject: str
    session: Any
    description: dict[str, Any]
    arrays: dict[str, Any]
    hooks: Hooks
    now: list[tuple[Checkpoint, Sample, JobContext]] = field(default_factory=list)


_held: list[Held] = []  # one, or none
# Of the job at work: a program may serve several subjects, each from a thread of its own, perhaps of one model.
_turn = threading.RLock()
TURN_SECONDS = 0.2  # between two looks at whether a job that waits for its turn was cancelled


# The jobs -----------------------------------------------------------------------------------------------------------


def describe(context: JobContext, *, subject: str) -> dict[str, Any]:
    """Open the subject anew and describe it. Returns ``{"key"}``: of the answer that holds the description.

    Raises:
        ParameterError: the server was started with another subject. Errors of the subject as they come.
    """
    if subject != _setting(context, "subject"):
        raise ParameterError(*OTHER)
    with _guarded(context):
        _drop()
        held = _open(context)
        lasting = {name: value for name, value in held.description.items() if name != "seconds"}
        key = key_of(description=lasting)
        _put(_answers(held), key, held.description, held.arrays)
    return {"key": key}


def extract(context: JobContext, *, checkpoint: Checkpoint, sample: dict[str, Any], key: str) -> dict[str, Any]:
    """Compute an extraction as far as it is missing; see ``analysis.extraction.extract.run_extraction``."""
    with _guarded(context):
        held = _open(context)
        _check(key, keys.extraction_key(held.description, checkpoint, **sample))
        with _at_work(held, context, checkpoint, sample):
            return _extracted(held, context, key, sample)


def answer(
    context: JobContext,
    *,
    question: str,
    params: dict[str, Any],
    checkpoint: Checkpoint,
    sample: dict[str, Any],
    key: str,
) -> dict[str, Any]:
    """Answer a question, unless the answer is there. Returns ``{"key"}``.

    Raises:
        ParameterError: there is no such question, or the subject is another one by now. Errors of the question.
    """
    with _guarded(context):
        held = _open(context)
        _check(key, keys.answer_key(held.description, question, params, checkpoint, sample))
        with _at_work(held, context, checkpoint, sample):
            ask(held.session, context, question, params)
    return {"key": key}


def ask(session: Any, context: JobContext, question: str, params: Mapping[str, Any]) -> Answer:
    """The answer of a question, of the weights and the sample that the session uses: read, or computed and kept.

    Raises:
        OSError, CutawayError: the answer cannot be kept, or the question fails.
    """
    [held] = _held
    checkpoint, sample, _ = held.now[-1]
    key = keys.answer_key(held.description, question, params, checkpoint, sample)
    answers = _answers(held)
    known = answers.get(key)
    if known is not None:
        return known
    module, _, name = registry.get(question).function.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    partials, outer = Partials(answers.directory), session.partial
    session.partial = partial(partials.put, key)
    try:
        value, arrays = function(session, context, **params)
    finally:
        session.partial = outer
        partials.drop(key)
    _check_weights(held)
    return _put(answers, key, value, arrays)


# The session --------------------------------------------------------------------------------------------------------


def open_session(context: JobContext) -> Any:
    """The subject that the server was started with, opened. Raises SubjectError and what opening raises."""
    from analysis.subject import live, loading
    from analysis.subject.session import Session

    name, device = _setting(context, "subject"), _setting(context, "device") or "auto"
    trusted = tuple(Path(path) for path in context.settings.get("trusted", []))
    own = live.find(name)
    if own is not None:
        live.at_end(_withdrawn)
        return Session(own, device=device, trusted=trusted, progress=context.progress)
    path = Path(name)
    if not name:
        raise ParameterError("The server has no subject.", "Start it with --subject FILE.py.")
    # Where the demos' own subjects find what was trained.
    os.environ["CUTAWAY_DEMOS"] = _setting(context, "demos")
    # Its text first: an edit while it runs must not pass for what ran.
    source = loading.source_of(path) if path.is_file() else ""
    return Session(loading.load_subject(path), device=device, trusted=trusted, source=source, progress=context.progress)


def _open(context: JobContext) -> Held:
    """The session of this process, opened if there is none, or that of another subject.

    Raises:
        ParameterError: the model's weights were changed since it was described. Errors of opening as they come.
    """
    name = _setting(context, "subject")
    if _held and _held[0].subject != name:
        _drop()
    if _held:
        _check_weights(_held[0])
    else:
        context.progress(0, 0, message="Running the file of the model and its data")
        session = open_session(context)
        session.cache = Path(_setting(context, "cache"))
        try:
            description, arrays = session.describe(context.progress)
        except BaseException:
            with suppress(Exception):
                session.close()
            raise
        _held.append(Held(name, session, description, arrays, hooks_of(session.model)))
    return _held[0]


def _drop() -> None:
    """Close the session: the next job opens it anew, from the file."""
    while _held:
        held = _held.pop()
        # Of use only to objects that live on in a program of somebody's.
        with suppress(Exception):
            remove_others(held.session.model, held.hooks)
            held.session.close()


def _withdrawn(name: str) -> None:
    """A program takes back its subject."""
    with _turn:
        if _held and _held[0].subject == name:
            _drop()


def _check_weights(held: Held) -> None:
    """Raises ParameterError if somebody, such as a training that goes on, changed the weights since the description."""
    if held.session.outdated:
        if not held.now:
            _drop()
        raise ParameterError(*keys.CHANGED)


@contextmanager
def _guarded(context: JobContext) -> Iterator[None]:
    """One job at a time. After a cancel, or an error that nobody meant, hooks or weights may be left half done: the
    session is closed."""
    while not _turn.acquire(timeout=TURN_SECONDS):
        context.progress(0, 0, message="Waiting for another dashboard of this program")
    try:
        yield
    except (CutawayError, Later):
        raise
    except BaseException:
        _drop()
        raise
    finally:
        _turn.release()


@contextmanager
def _at_work(held: Held, context: JobContext, checkpoint: Checkpoint, sample: Sample) -> Iterator[None]:
    """Within, the session has these weights and this sample. A job that waits meanwhile finds everything as it was."""
    session = held.session
    others = set_aside(session.model, held.hooks) if held.now else nullcontext()
    with others:
        held.now.append((checkpoint, sample, context))
        try:
            _use(held)
            yield
        except (CutawayError, Later):
            _back(held)
            raise
        except BaseException:
            held.now.pop()
            raise
        _back(held)


def _back(held: Held) -> None:
    held.now.pop()
    if held.now:
        try:
            _use(held)
        except CutawayError as error:  # no refusal of the job that ends, and what waits must not go on with its weights
            raise RuntimeError(f"The weights of the job that waits cannot be put back: {error.message}") from error


def _use(held: Held) -> None:
    session, (checkpoint, sample, context) = held.session, held.now[-1]
    session.use(checkpoint)
    session.sample = dict(sample)
    session.batch_size = max(1, int(session.subject.batch_size * context.batch_scale))
    context.uses(session.batch_size)
    session.ask = lambda question, **params: ask(session, context, question, params)
    session.extraction = partial(_extraction, held, context, checkpoint, sample)


def _extraction(held: Held, context: JobContext, checkpoint: Checkpoint, sample: Sample) -> Extraction:
    """The activations of the sample, computed first if they are missing."""
    key = keys.extraction_key(held.description, checkpoint, **sample)
    directory = Path(held.session.cache) / "extractions" / key
    if _complete(directory):
        return Extraction(directory)
    if context.nested:
        raise Later  # an extraction waits for this job, perhaps the same one
    _extracted(held, context, key, sample)
    return Extraction(directory)


def _complete(directory: Path) -> bool:
    try:
        return Extraction(directory).complete
    except CutawayError:
        return False


def _extracted(held: Held, context: JobContext, key: str, sample: Sample) -> dict[str, Any]:
    from analysis.extraction.extract import run_extraction

    size = held.session.batch_size
    directory = Path(held.session.cache) / "extractions" / key
    if not _complete(directory):
        held.session.labels(progress=context.progress)  # of large data that takes long; they are kept
    try:
        return run_extraction(held.session, context, key=key, batch_size=size, **sample)
    finally:
        if held.session.outdated:
            shutil.rmtree(directory, ignore_errors=True)
            _check_weights(held)


# The cache ----------------------------------------------------------------------------------------------------------


def _answers(held: Held) -> Answers:
    return Answers(Path(held.session.cache) / "answers")


def _put(answers: Answers, key: str, value: dict[str, Any], arrays: Mapping[str, Any]) -> Answer:
    try:
        return answers.put(key, value, arrays)
    except OSError as error:
        raise ParameterError(f"The answer cannot be kept: {error}.", "Make room in the workspace.") from error


def _check(given: str, wanted: str) -> None:
    if given != wanted:
        raise ParameterError(*keys.CHANGED)


def _setting(context: JobContext, name: str) -> str:
    return (context.settings.get(name) or [""])[-1]
