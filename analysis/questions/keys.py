"""What an answer depends on, as the key it is kept under: computed alike in the web process and in the worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from analysis.extraction import shards
from analysis.questions import registry
from analysis.results import key_of

CHANGED = ("The model or its data changed since this was asked.", "They are opened again; then try again.")
RANDOM_STATE = 0
EXTRACTION_VERSION = shards.VERSION


def sample_of(
    description: Mapping[str, Any], n: int = 1000, random_state: int = RANDOM_STATE, include: Iterable[int] = ()
) -> dict[str, Any]:
    """The sample as it is asked for: ``{"n", "random_state", "include"}``.

    n: at most all there are. include: ascending, with the subject's own 'always include', without indices that the
    data set does not have.
    """
    size = int(description["n"])
    wanted = {int(index) for index in (*include, *(description.get("always_include") or ()))}
    return {
        "n": max(1, min(int(n), size)),
        "random_state": int(random_state),
        "include": sorted(index for index in wanted if 0 <= index < size),
    }


def answer_key(
    description: Mapping[str, Any],
    question: str,
    params: Mapping[str, Any],
    checkpoint: Mapping[str, Any] | None,
    sample: Mapping[str, Any] | None = None,
) -> str:
    """The key of a question's answer.

    Args:
        description: of the subject: its parts 'code', 'weights', 'data', 'n' and 'always_include' are used; of a
            question that does not depend on the data, their form: 'input', 'kind', 'axes', 'layers'.
        checkpoint: ``{"name", "path", "sha256"}``, None for the weights that the subject came with.
        sample: ``{"n", "random_state", "include"}``; None for the default one.

    Raises:
        ParameterError: there is no such question.
    """
    asked = registry.get(question)
    parts: dict[str, Any] = {"code": description["code"], "params": dict(params)}
    if asked.of_weights:
        parts["weights"] = weights_of(description, checkpoint)
    if asked.of_data:
        parts["data"] = description["data"]
    if asked.of_data and asked.of_sample:
        parts["sample"] = sample_of(description, **(sample or {}))
        parts["extraction"] = EXTRACTION_VERSION
    if not asked.of_data:
        parts["form"] = _form(description)
    return key_of(question=asked.name, version=asked.version, **parts)


def extraction_key(
    description: Mapping[str, Any],
    checkpoint: Mapping[str, Any] | None,
    n: int = 1000,
    random_state: int = RANDOM_STATE,
    include: Iterable[int] = (),
) -> str:
    """The key, and the name of the directory, of the activations of a sample."""
    return key_of(
        extraction=EXTRACTION_VERSION,
        code=description["code"],
        weights=weights_of(description, checkpoint),
        data=description["data"],
        sample=sample_of(description, n, random_state, include),
    )


def _form(description: Mapping[str, Any]) -> list[Any]:
    """What the data look like: sizes, not values."""
    layers = [[info.get("key"), info.get("filters"), info.get("spatial")] for info in description.get("layers") or ()]
    shape = (description.get("input") or {}).get("shape")
    return [shape, description.get("kind"), description.get("axes"), layers]


def weights_of(description: Mapping[str, Any], checkpoint: Mapping[str, Any] | None) -> str:
    """What tells weights from other weights: a digest of the checkpoint's file, or of the subject's own weights."""
    return str(checkpoint["sha256"] if checkpoint else description["weights"])
