"""Runs a model over a sample of its data and keeps, for every instance, what each filter answered.

Work goes by shards of a few instances. A finished shard is never computed again, whatever ends the process; batches do
not reach across shards, so the files have the same bytes however often the work was interrupted. Memory holds one batch
and the statistics of one shard.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import CutawayError
from analysis.extraction import choice, sample, shards
from analysis.extraction.faults import ExtractionError, OutOfMemory, tail_of
from analysis.extraction.passes import BatchError, Passes
from analysis.extraction.reader import Extraction
from analysis.extraction.survey import shard_facts
from analysis.extraction.tries import Tries
from analysis.jobs.calls import is_memory
from analysis.jobs.context import Cancelled
from analysis.layerinfo import LayerInfo

SHARD = 64  # instances, at least
TRIES = 3  # of a shard, before it is given up
HOPELESS = 3  # shards that fail, and none that succeeds: it is the model
Progress = Callable[[int, int], None]  # instances done, of how many


def extract(
    session: Any,
    directory: Path,
    *,
    indices: Sequence[int],
    layers: Sequence[LayerInfo],
    batch_size: int,
    shard: int = SHARD,
    progress: Progress | None = None,
    full: bool = False,
    display: bool = True,
    left_out: Iterable[LayerInfo] = (),
    facts: dict[str, Any] | None = None,
) -> None:
    """Extract, or go on where an extraction of the same was interrupted.

    Args:
        session: the model and data, see ``analysis.subject.session``; the weights are those it holds now.
        directory: of this extraction alone; files of another one in it are removed.
        indices: instances. layers: layers to read; those with a reason are left out. batch_size, shard: instances a
            batch and a shard, at most.
        progress: called before the first and after each batch, when the model carries no hooks; it may raise to stop
            the work, and use the session for something else meanwhile, if it leaves the weights as they were.
        full: keep whole activations too. display: keep the instances as they are shown.
        left_out: layers that nothing is expected of, for the manifest. facts: anything else for it, JSON.

    Raises:
        OutOfMemory: the batches are too large. ExtractionError: nothing could be extracted, or the disk is full.
    """
    readable = [info for info in layers if not info.reason]
    absent = [*(info for info in layers if info.reason), *left_out]
    if not readable:
        why = f" ({absent[0].key}: {absent[0].reason})" if absent else ""
        raise ExtractionError(f"There is no layer to extract{why}.", "Choose others with layers=.")
    manifest = shards.make_manifest(
        indices=indices,
        layers=readable,
        class_names=session.class_names,
        kind=session.kind,
        shard=shard,
        batch_size=batch_size,
        left_out=absent,
        full=full,
        display=display,
        **(facts or {}),
    )
    passes = Passes(session, readable, batch_size, directory if full else None)
    with _disk():
        shards.begin(directory, manifest)
        with Tries(directory) as tries:
            _Work(session, directory, manifest, passes, progress, tries).run()


class _Work:
    """One call of ``extract``: the shards that are left, each up to three times."""

    def __init__(
        self,
        session: Any,
        directory: Path,
        manifest: dict[str, Any],
        passes: Passes,
        progress: Progress | None,
        tries: Tries,
    ) -> None:
        self._session, self._directory, self._manifest, self._passes = session, directory, manifest, passes
        self._tries = tries
        self._progress = progress or (lambda _done, _total: None)
        self._parts = shards.parts(manifest["indices"], manifest["shard"])
        found = shards.present(directory)
        whole = [n for n in found["shard"] if shard_facts(directory / shards.shard_file(n)) is not None]
        self._settled = {n for n in [*whole, *found["failed"]] if n < len(self._parts)}
        self._good = len(set(whole))
        self._errors: dict[int, dict[str, Any]] = {}

    def run(self) -> None:
        self._report(0)
        todo = [n for n in range(len(self._parts)) if n not in self._settled]
        for number in [n for n in todo if self._tries[n] >= TRIES]:
            # Each of these tries ended the process, or the job with it.
            self._give_up(number, {"message": f"The process ended {TRIES} times in this shard.", "tail": ""})
        while left := [n for n in todo if n not in self._settled]:
            while left:
                self._try(left.pop(self._next(left)))
                if not self._good and len(self._errors) >= HOPELESS:
                    self._nothing()
        if not self._good:
            self._nothing()

    def _next(self, left: list[int]) -> int:
        """In order; but if the first shard fails, the last and the middle one tell soon whether they all will."""
        if self._good or not self._errors:
            return 0
        return len(left) - 1 if len(self._errors) == 1 else len(left) // 2

    def _report(self, more: int) -> None:
        done = sum(len(self._parts[number]) for number in self._settled) + more
        self._progress(done, len(self._manifest["indices"]))

    def _try(self, number: int) -> None:
        self._tries.add(number)
        try:
            result = self._passes.run(number, self._parts[number], self._report)
        except BatchError as error:
            self._failed(number, error)
            return
        except BaseException:  # a cancel is not the shard's fault
            self._tries.take_back(number)
            raise
        if self._manifest["display"]:
            shards.write_display(self._directory, number, self._shown(result.arrays["index"]))
        shards.write_shard(self._directory, number, result.arrays, skipped=result.skipped, unreached=result.unreached)
        self._tries.settle(number)
        if not self._good:
            self._room_for_all(number)
        self._good += 1
        self._settled.add(number)

    def _shown(self, indices: Iterable[int]) -> dict[int, np.ndarray[Any, Any]]:
        """The instances as they are shown; one that cannot be shown still has its statistics."""
        found = {}
        for index in map(int, indices):
            with contextlib.suppress(Exception):
                if self._session.kind == "text":
                    found[index] = shards.packed_tokens(self._session.tokens(index))
                else:
                    found[index] = np.asarray(self._session.display(index))
        return {index: array for index, array in found.items() if array.size}

    def _failed(self, number: int, error: BatchError) -> None:
        """Note an error; after three tries the shard is given up and the others go on."""
        cause, batch_size = error.cause, self._manifest["batch_size"]
        tail = tail_of(cause)
        if is_memory(cause):
            self._tries.take_back(number)
            raise OutOfMemory(batch_size, tail) from cause
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            self._tries.take_back(number)
            raise _full_disk(cause) from cause
        batch = number * -(-self._manifest["shard"] // batch_size) + error.number
        place = f"in batch {batch} (instances {error.indices[0]} to {error.indices[-1]})"
        text = cause.message if isinstance(cause, CutawayError) else f"{type(cause).__name__}: {cause}"
        self._errors[number] = {"batch": batch, "message": f"{text} [{place}]", "tail": tail}
        if self._tries[number] >= TRIES:
            self._give_up(number, self._errors[number])

    def _give_up(self, number: int, why: dict[str, Any]) -> None:
        shards.write_failure(self._directory, number, {"shard": number, "attempts": TRIES, **why})
        self._tries.settle(number)
        self._settled.add(number)
        self._report(0)

    def _nothing(self) -> None:
        """No shard succeeded: it is the model, not the data. What was noted is removed, for another attempt."""
        for number in range(len(self._parts)):
            self._tries.settle(number)
        first = min(self._errors.items())[1] if self._errors else {"message": "Every process ended early.", "tail": ""}
        shards.forget_failures(self._directory)
        raise ExtractionError(
            f"The model cannot be run on these data: {first['message']}",
            "The traceback says where; nothing was kept.",
            first["tail"],
        )

    def _room_for_all(self, number: int) -> None:
        """Refuse, after the first shard, what the disk cannot hold."""
        files = [self._directory / name(number) for name in (shards.shard_file, shards.display_file)]
        files += self._directory.glob(f"full-{number:05d}-*.safetensors")
        each = sum(path.stat().st_size for path in files if path.exists())
        needed = each * (len(self._parts) - len(self._settled) - 1)
        free = shutil.disk_usage(self._directory).free
        if needed > free:
            raise ExtractionError(
                f"The extraction needs {needed / 1e9:.1f} GB more, and the disk has {free / 1e9:.1f} GB left.",
                "Ask for fewer instances or layers, or make room.",
            )


@contextlib.contextmanager
def _disk() -> Any:
    try:
        yield
    except OSError as error:
        raise _full_disk(error) from error


def _full_disk(error: OSError) -> ExtractionError:
    return ExtractionError(f"The extraction cannot be written: {error.strerror}.", "Make room in the workspace.")


def run_extraction(
    session: Any,
    context: Any,
    *,
    key: str,
    n: int = sample.DEFAULT,
    random_state: int = 0,
    include: Iterable[int] = (),
    layers: Iterable[str] | None = None,
    batch_size: int | None = None,
    again: bool = False,
) -> dict[str, Any]:
    """The extraction of this key below ``session.cache``, computed as far as it is missing.

    Args:
        session: with the weights in use. context: of the job; its ``progress``, ``cancelled`` and ``breathe`` are used
            if it has them. key: see ``analysis.questions.keys.extraction_key``.
        n, random_state, include: the sample. layers: keys of layers; None for the default ones.
        batch_size: None for the subject's own. again: try shards once more that were given up.

    Returns:
        'key', 'planned', 'done', 'skipped', 'failed' (numbers of instances), 'notices'.

    Raises:
        OutOfMemory, ExtractionError: see ``extract``. Cancelled: the job was.
    """
    directory = Path(session.cache) / "extractions" / key
    if again:
        shards.forget_failures(directory)
    with contextlib.suppress(CutawayError):
        held = Extraction(directory)
        if held.complete:
            return _summary(key, held)
    batch_size = int(batch_size or getattr(session.subject, "batch_size", None) or 32)
    include = {*include, *(getattr(session.subject, "always_include", None) or ())}
    indices = sample.choose(session.labels(), n, random_state, sorted(include))
    if layers is None:
        chosen, left_out, notice = choice.default_layers(session.layers)
    else:
        chosen, left_out, notice = session.infos(list(layers)), [], ""

    def progress(done: int, total: int) -> None:
        if getattr(context, "cancelled", False):
            raise Cancelled
        context.progress(done, total, "instances", "Extracting activations")
        if hasattr(context, "breathe"):
            context.breathe()

    extract(
        session,
        directory,
        indices=indices.tolist(),
        layers=chosen,
        batch_size=batch_size,
        shard=batch_size * -(-SHARD // batch_size),
        progress=progress,
        left_out=left_out,
        facts={"notices": [notice] if notice else [], "random_state": random_state},
    )
    found = Extraction(directory)
    if not found.done:
        why = f": {found.skipped[0][1]}" if found.skipped else ""
        raise ExtractionError(f"None of the {found.planned:,} instances could be read{why}", "Look at the data set.")
    return _summary(key, found)


def _summary(key: str, found: Extraction) -> dict[str, Any]:
    return {
        "key": key,
        "planned": found.planned,
        "done": found.done,
        "skipped": len(found.skipped),
        "failed": sum(len(failure["indices"]) for failure in found.failed),
        "notices": found.manifest.get("notices", []),
    }
