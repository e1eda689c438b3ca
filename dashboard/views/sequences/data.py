"""From the selection to what the panels of the Sequences view show: the layer, its state, the words, their answers.

Every panel begins with ``frame(search)``. It raises ``NotReady`` while there is nothing to draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.errors import NotFound
from analysis.extraction.reader import Extraction
from analysis.results import Answer
from dashboard import asking, subjects
from dashboard.asking import NotReady
from dashboard.selection import Selection

VIEW = "sequences"
FIRST_PANEL = "Layer and words"
SEQUENCES = "Sequences"
LONGEST = 60  # characters of a name in a sentence
COLOURS = 8  # of clusters and classes; then they repeat, and the name tells
FIRST_COLOUR = 2  # of clusters: the first ones are those of classes


@dataclass(frozen=True)
class Frame(asking.OfSubject):
    """What all panels show.

    description: of the subject. listed: what ``sequence_sources`` says of every layer. layer, state, depth: the source
    that is shown, depth -1 for the last. words: the vocabulary. extraction: activations of the sample, None while there
    are none. vocabularies: {'name', 'title', 'reason'} of each. pos: why words have no part of speech, '' if they do.
    fallback: the layer chosen elsewhere that has no state at every step, '' if it has.
    """

    selection: Selection
    description: dict[str, Any]
    listed: list[dict[str, Any]]
    layer: str
    state: str
    depth: int
    words: str
    extraction: Extraction | None
    vocabularies: list[dict[str, Any]]
    pos: str
    fallback: str = ""

    @property
    def about(self) -> dict[str, Any]:
        """What ``sequence_sources`` says of the layer shown."""
        return next(one for one in self.listed if one["layer"] == self.layer)

    @property
    def units(self) -> int:
        """U, as the layer has them."""
        return int(self.about["units"])

    @property
    def name(self) -> str:
        """'lstm', 'lstm, cell state' or 'lstm, layer 1 of 2, cell state'."""
        parts = [self.layer]
        depths = int(self.about["depths"])
        if depths > 1:
            parts.append(f"layer {self.depth % depths + 1} of {depths}")
        if len(self.about["states"]) > 1:
            parts.append(f"{self.state} state")
        return ", ".join(parts)

    @property
    def source(self) -> dict[str, Any]:
        """The parameters that every question of this view takes."""
        return {"layer": self.layer, "state": self.state, "depth": self.depth}

    @property
    def instance(self) -> int:
        """*The* instance: the chosen one, or the first of the sample. Raises NotReady."""
        return self.instances[0]

    @property
    def instances(self) -> tuple[int, ...]:
        """The instances chosen, or the first of the sample. Raises NotReady while that is being read."""
        total = int(self.description["n"])
        for index in self.selection.instances:
            if index >= total:
                raise NotReady(
                    "No such instance",
                    f"There is no instance {index:,}: the data set has {total:,}, counted from 0.",
                    "Choose another one.",
                    told_in=SEQUENCES,
                )
        if self.selection.instances:
            return self.selection.instances
        if self.extraction is None:
            raise NotReady("Sequences", "The sample is being read.", waiting=True)
        return (int(np.asarray(self.extraction.indices)[0]),)


def is_shown(search: object) -> bool:
    """Whether the page shows this view; callbacks of a view that is not shown compute nothing."""
    return Selection.parse(search).view == VIEW


def frame(search: object, *, wait: float = 0.0) -> Frame:
    """What is shown for an address. Raises NotReady or Pending, or a CutawayError of what failed.

    wait: seconds for the list of layers; one panel waits for all of them.
    """
    selection = Selection.parse(search)
    try:
        description = asking.described()
    except NotReady as error:
        raise _elsewhere(error, wait) from error
    if int(description["n"]) == 0:
        raise NotReady("Sequences", "The data set has no instances.", "Pass a data set with at least one.")
    if description["kind"] not in ("text", "series"):
        raise NotReady(
            "Sequences",
            f"This view follows states along the steps of texts and series; these are of kind {description['kind']!r}.",
            "The Layers and Attribution views show this model.",
        )
    try:
        answer: Answer = asking.ask(selection, "sequence_sources", "Which layers have a memory", wait=wait)
    except NotReady as error:
        raise _elsewhere(error, wait) from error
    found = subjects.extraction(selection, wait=0.0)
    extraction = found.reader if found.reader is not None and found.reader.done else None
    return framed(selection, description, answer.json, extraction)


def _elsewhere(error: NotReady, wait: float) -> NotReady:
    """What all panels wait for: the one that waits for the layers says how far it is, the others in a line."""
    if wait or not error.waiting:
        return error
    return NotReady(error.title, error.reason, error.remedy, waiting=True, told_in=FIRST_PANEL)


def framed(
    selection: Selection, description: dict[str, Any], said: dict[str, Any], extraction: Extraction | None
) -> Frame:
    """The same from what was found. said: the answer ``sequence_sources``. Raises NotReady: no layer has a state."""
    listed = list(said["sources"])
    chosen, fallback = _chosen(selection, listed, said)
    state = selection.sstate if selection.sstate in chosen["states"] else "hidden"
    depths = int(chosen["depths"])
    depth = selection.sdepth if selection.sdepth is not None and selection.sdepth < depths else -1
    vocabularies = list(said["vocabularies"])
    there = [str(one["name"]) for one in vocabularies if not one["reason"]]
    if not there:
        reason = str(vocabularies[0]["reason"]) if vocabularies else "There are no words."
        raise NotReady("Sequences", reason)
    words = selection.swords if selection.swords is not None and selection.swords in there else there[0]
    return Frame(
        selection,
        description,
        listed,
        str(chosen["layer"]),
        state,
        -1 if depth == depths - 1 else depth,  # one key for one state
        words,
        extraction,
        vocabularies,
        str(said["pos"]["reason"]),
        fallback,
    )


def _chosen(selection: Selection, listed: Sequence[dict[str, Any]], said: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The layer shown, and the one chosen elsewhere that has no state at every step."""
    wanted = selection.layer
    exact = next((one for one in listed if one["layer"] == wanted), None)
    if exact is not None and exact["reason"]:
        raise NotReady(
            "Sequences", f"The states of {wanted!r} cannot be read: {exact['reason']}.", "Choose another layer."
        )
    default = said["default"]
    if exact is None and default is None:
        raise NotReady("Sequences", str(said["why"]))
    if exact is not None:
        return exact, ""
    return next(one for one in listed if one["layer"] == default["layer"]), wanted or ""


def beside(shown: Frame, text: str) -> Frame:
    """The frame to compare with, as ``Selection.scompare`` writes it. Raises NotFound or NotReady."""
    kind, _, value = text.partition(":")
    if kind == "state":
        if value not in shown.about["states"]:
            raise NotFound(f"{shown.layer} has no {value[:LONGEST]} state.", "Choose another comparison.")
        return replace(shown, state=value)
    if kind == "depth":
        depths = int(shown.about["depths"])
        if not value.isdigit() or int(value) >= depths:
            raise NotFound(f"{shown.layer} has {depths} stacked layers.", "Choose another comparison.")
        return replace(shown, depth=-1 if int(value) == depths - 1 else int(value))
    if kind == "layer":
        other = next((one for one in shown.listed if one["layer"] == value and not one["reason"]), None)
        if other is None:
            raise NotFound(f"There is no layer {value[:LONGEST]!r} with a state at every step.", "Choose another.")
        state = shown.state if shown.state in other["states"] else "hidden"
        return replace(shown, layer=value, state=state, depth=-1)
    if kind == "checkpoint":
        run, slash, name = value.partition("/")
        changes: dict[str, Any] = {"checkpoint": name or None} if slash else {"checkpoint": value}
        if slash:
            changes["runs"] = (run,) if run else ()
        selection = shown.selection.with_(**changes)
        found = subjects.extraction(selection, wait=0.0)
        extraction = found.reader if found.reader is not None and found.reader.done else None
        return replace(shown, selection=selection, extraction=extraction)
    raise NotFound(f"{text[:LONGEST]!r} is no comparison.", "Choose one of those listed.")


def responses(shown: Frame) -> Answer:
    """``sequence_responses`` of the source and the words. Raises Pending and errors."""
    what = f"Expected response of {shown.name}"
    return asking.ask(shown.selection, "sequence_responses", what, **shown.source, words=shown.words)


def clusters_asked(shown: Frame) -> dict[str, Any]:
    """Parameters of ``sequence_clusters``; the same for all panels."""
    chosen = shown.selection
    return {
        **shown.source,
        "words": shown.words,
        "weight": chosen.sweight,
        "k": chosen.sk,
        "least": chosen.sleast,
        "norm": chosen.snorm,
    }


def clusters(shown: Frame) -> Answer:
    """``sequence_clusters``. Raises Pending and errors."""
    return asking.ask(shown.selection, "sequence_clusters", f"Co-clusters of {shown.name}", **clusters_asked(shown))


def known_clusters(shown: Frame) -> Answer | None:
    """The same if it is there already; asks for nothing."""
    found = subjects.known(shown.selection, "sequence_clusters", **clusters_asked(shown))
    return found.answer if found is not None else None


def states(shown: Frame, instance: int | None = None, text: str = "", *, wait: float = 0.0) -> Answer:
    """``sequence_states`` of an instance, or of a text. Raises Pending and errors."""
    what = f"States of {shown.name}, " + ("the text" if instance is None else f"instance {instance:,}")
    return asking.ask(
        shown.selection,
        "sequence_states",
        what,
        wait=wait,
        **shown.source,
        words=shown.words,
        instance=instance,
        text=text if instance is None else "",
    )


def word_answer(shown: Frame, chosen: Sequence[int], what: str) -> Answer:
    """``sequence_words`` of these words. Raises Pending and errors."""
    listed = sorted({int(number) for number in chosen})
    return asking.ask(shown.selection, "sequence_words", what, **shown.source, words=shown.words, chosen=listed)


def unit_clusters(shown: Frame) -> tuple[np.ndarray[Any, Any], int] | None:
    """Cluster of each unit (U,) and how many there are, if they are known already."""
    answer = known_clusters(shown)
    if answer is None:
        return None
    return np.asarray(answer.array("unit_cluster")), int(answer.json["k"])


def row_of(answer: Answer, word: int) -> int | None:
    """The row of a word in ``sequence_responses``, None if the sample does not hold it."""
    rows = np.flatnonzero(np.asarray(answer.array("id")) == word)
    return int(rows[0]) if len(rows) else None


def spelt(name: str) -> str:
    """A word in a sentence: in quotes, blanks at its ends visible, cut to a readable length."""
    return f"“{written(name)}”"


def written(name: str, most: int = LONGEST) -> str:
    """The same without quotes. Blanks within it can be seen as they are."""
    inner = name.strip(" ").replace("\n", "⏎")
    before = len(name) - len(name.lstrip(" ")) if inner else 0
    text = "␣" * before + inner + "␣" * (len(name) - before - len(name.strip(" ")))
    text = text or "(empty)"
    return text if len(text) <= most else text[: most - 1] + "…"


def cluster_colour(number: int) -> str:
    """CSS colour of a cluster, of words or of units; none is blue or orange, which are signs in this view."""
    return f"var(--sq-{(number + FIRST_COLOUR) % COLOURS})"


def cluster_name(kind: str, number: int) -> str:
    """'W3' of word clusters (kind 'w'), 'U3' of unit clusters ('u'), as the address numbers them."""
    return f"{kind.upper()}{number}"
