"""Answers ``sequence_ablation``: what the model loses without some units of a layer, and which words' answers move.

An expected response is an association; this is the test that goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from analysis.layers.ablation import verdict
from analysis.layers.passes import batches
from analysis.sequences import inputs, states
from analysis.sequences.faults import SequenceError
from analysis.sequences.silence import checked, silenced
from analysis.sequences.sources import Source

DRAWS = 3  # sets of random units
LISTED = 30  # words
FEWEST = 5  # instances that hold a word, and that do not
SEED = 0


def margins(logits: NDArray[np.float32], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far the score of a class is above the next, (n,), in logits.

    logits: (n, C); of a single one, how far it is on the side of the class.
    """
    values = np.asarray(logits, np.float64)
    if values.shape[1] == 1:
        return np.where(classes > 0, values[:, 0], -values[:, 0])
    rows = np.arange(len(values))
    own = values[rows, classes]
    others = values.copy()
    others[rows, classes] = -np.inf
    found: NDArray[np.float64] = own - others.max(1)
    return found


def moved(
    shift: NDArray[np.float64], holds: dict[int, list[int]], fewest: int = FEWEST, listed: int = LISTED
) -> list[dict[str, Any]]:
    """Words by how far the instances that hold them move beyond those that do not.

    Ranked by how far the interval of that difference (Welch, 1947) stays from 0, at a level at which one of 20 such
    lists holds a word by chance (Bonferroni); words whose interval holds 0 follow, and are not 'clear'.

    Args:
        shift: of each instance, (n,). holds: numbers of the instances that hold a word, by its id. fewest: instances
            that hold a word. listed: words.

    Returns:
        [{'id', 'instances', 'shift': mean of those that hold it, 'low', 'high': its 95 % interval, 'without': mean of
        the others or None, 'clear': bool}].
    """
    found: list[tuple[float, dict[str, Any]]] = []
    looked_at = {word: rows for word, rows in holds.items() if len(rows) >= min(fewest, len(shift))}
    level = 1 - 0.025 / max(1, len(looked_at))
    total, squares, n = float(shift.sum()), float((shift**2).sum()), len(shift)
    for word, rows in looked_at.items():
        own = shift[rows]
        mean = float(own.mean())
        error = float(own.var(ddof=1) / len(own)) if len(own) > 1 else 0.0
        rest = n - len(own)
        other = (total - float(own.sum())) / rest if rest else None
        clear = -np.inf
        if other is not None and rest > 1:
            left = max(0.0, squares - float((own**2).sum()) - rest * other**2) / (rest - 1) / rest
            # Student's t with the degrees of freedom of the smaller side, on the safe side: by the normal, or by
            # Welch's degrees, words of five instances would be called clear that are not.
            freedom = max(min(len(own), rest) - 1, 1)
            clear = abs(mean - other) - float(stdtrit(freedom, level)) * float(np.sqrt(error + left))
        wide = float(stdtrit(max(len(own) - 1, 1), 0.975)) * float(np.sqrt(error))
        value = {"id": word, "instances": len(own), "shift": mean, "low": mean - wide, "high": mean + wide}
        found.append((clear, value | {"without": other, "clear": clear > 0}))
    found.sort(key=lambda pair: (-pair[0], -abs(pair[1]["shift"]), pair[1]["id"]))
    return [value for _, value in found[:listed]]


def sequence_ablation(
    session: Any,
    context: Any,
    *,
    layer: str,
    state: str,
    depth: int,
    units: list[int],
    mode: str = "zero",
    value: float = 0.0,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Run the sample through the model with units silent, or held at a value, and compare with its own answers.

    Units are taken out inside the layer, see ``silence``: what they told the others at the next step is gone too.

    Args:
        layer, state, depth: of the source. units: which. mode: 'zero' or 'clamp'. value: what clamped ones are held at,
            in units of the state.

    Returns:
        As ``analysis.layers.ablation.verdict``, and 'layer', 'state', 'depth', 'units', 'mode', 'value'; 'shift': mean
        change of the margin of the unchanged prediction, in logits; 'tokens': see ``moved``, each with its 'name', []
        of series; 'random': the same with as many units drawn at random, {'change': mean over draws, 'low', 'high':
        smallest and largest, 'flips': mean, 'draws', 'count': units of a draw, 'from': 'others', or 'all' where there
        are too few others, 'reason': why there is none, or ''}. No arrays.

    Raises:
        NotFound: no such layer. ParameterError: as ``silence.checked``. SequenceError: as ``silenced``.
    """
    source = states.source_of(session, layer, state, depth)
    extraction = session.extraction()
    chosen = checked(units, source.units, mode, value, layer)
    holds: dict[int, list[int]] = {}
    rows, logits = _changed(session, context, source, chosen, mode, value, "Running without the units", holds)
    random_state = int(session.sample["random_state"])
    found = verdict(extraction, rows, logits, random_state)
    own, after = np.asarray(extraction.predictions)[rows], logits
    shift = margins(after, own) - margins(np.asarray(extraction.logits)[rows], own)
    tokens = moved(shift, holds)
    if tokens:
        ids = [one["id"] for one in tokens]
        names = session._decoder(ids) if session._decoder else [f"#{word}" for word in ids]
        tokens = [one | {"name": name} for one, name in zip(tokens, names, strict=True)]
    control = _control(session, context, source, chosen, mode, value)
    return {
        "layer": layer,
        "state": state,
        "depth": depth,
        "units": list(chosen),
        "mode": mode,
        "value": value if mode == "clamp" else 0.0,
        **found,
        "shift": float(shift.mean()),
        "tokens": tokens,
        "random": control,
    }, {}


def _control(
    session: Any, context: Any, source: Source, chosen: tuple[int, ...], mode: str, value: float
) -> dict[str, Any]:
    """The same with other units of the same number."""
    others = np.setdiff1d(np.arange(source.units), chosen)
    found: dict[str, Any] = {"change": None, "low": None, "high": None, "flips": None, "draws": 0}
    found |= {"count": len(chosen), "reason": "", "from": "others"}
    if not len(others):
        return found | {"reason": "These are all units of the layer: there are no others to draw from."}
    if len(others) < len(chosen):
        others, found["from"] = np.arange(source.units), "all"
    random_state = int(session.sample["random_state"])
    rng = np.random.default_rng([SEED, random_state])
    extraction, told, flips = session.extraction(), [], []
    seen: set[tuple[int, ...]] = {chosen}
    for number in range(DRAWS):
        drawn = tuple(sorted(int(unit) for unit in rng.choice(others, len(chosen), replace=False)))
        if drawn in seen:
            continue
        seen.add(drawn)
        message = f"Running without random units, {number + 1} of {DRAWS}"
        rows, logits = _changed(session, context, source, drawn, mode, value, message)
        one = verdict(extraction, rows, logits, random_state)
        told.append(one["change"])
        flips.append(one["flips"])
    if not told:
        return found | {"reason": "No other units came up in the draws."}
    found |= {"flips": float(np.mean(flips)), "draws": len(told)}
    if None not in told:
        found |= {"change": float(np.mean(told)), "low": float(min(told)), "high": float(max(told))}
    return found


def _changed(
    session: Any,
    context: Any,
    source: Source,
    units: Iterable[int],
    mode: str,
    value: float,
    message: str,
    holds: dict[int, list[int]] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows of the extraction, and logits (n, C) of the changed model. holds: filled with the words of texts."""
    rows: list[NDArray[np.int64]] = []
    logits: list[NDArray[np.float32]] = []
    done = 0
    with silenced(session, source, tuple(units), mode, value) as running:
        for batch, own in batches(session, session.extraction(), context, message):
            running.begin()
            logits.append(session.forward(batch).detach().to("cpu").float().numpy().copy())
            rows.append(own)
            if holds is not None and session.kind == "text":
                ids, good = inputs.ids_of(batch).numpy(), states.valid_input(session, batch)
                for row in range(len(batch)):
                    for word in np.unique(ids[row][good[row]]).tolist():
                        holds.setdefault(word, []).append(done + row)
            done += len(batch)
        if not rows:
            raise SequenceError("The sample has no instances that can be read.", "Choose a larger sample.")
    return np.concatenate(rows), np.concatenate(logits)
