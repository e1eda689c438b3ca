"""What a health rule says (Finding), what it may be told (Thresholds), and how filters are put into a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from analysis.errors import ParameterError
from analysis.records import LayerMeta

Severity = Literal["problem", "warning", "hint"]
Subject = Literal["run", "layer", "filter"]
NAMED = 8  # filters named one by one in a sentence and in its evidence


@dataclass(frozen=True)
class Finding:
    """One sentence about the run, with what it rests on.

    rule: id of the rule in ``health.RULES``. layer, filters, tag: what it is about, as far as it applies. step: where
    to look first (a filter's last activation, the best checkpoint). evidence: pairs of label and value with unit.
    explanation: the rule in words, with the thresholds used. action: what one may do about it, '' if nothing.
    """

    rule: str
    severity: Severity
    subject: Subject
    sentence: str
    layer: str | None = None
    filters: tuple[int, ...] = ()
    tag: str | None = None
    step: int | None = None
    evidence: tuple[tuple[str, str], ...] = ()
    explanation: str = ""
    action: str = ""


@dataclass(frozen=True)
class ThresholdSpec:
    """What a control needs to offer a threshold. unit: '' for none; 'share' is shown as a percentage."""

    name: str
    label: str
    unit: str
    default: float
    minimum: float
    maximum: float
    integer: bool


def _threshold(default: Any, label: str, unit: str, minimum: float, maximum: float) -> Any:
    return field(default=default, metadata={"label": label, "unit": unit, "minimum": minimum, "maximum": maximum})


@dataclass(frozen=True)
class Thresholds:
    """Every number that a rule can be told. Raises ParameterError when one lies outside its range."""

    stable_distance: float = _threshold(0.1, "Unchanged if the histogram moved at most", "share", 0.0, 1.0)
    stable_records: int = _threshold(2, "Stable after", "records in a row", 1, 50)
    minimum_patches: int = _threshold(16, "Judge records of at least", "patches", 1, 100_000)
    # In the digits demo 79 of 88 silences of 3 records ended later, and 5 of 10 of 8 records.
    dead_records: int = _threshold(8, "Dead after", "records in a row", 1, 100)
    many_dead_share: float = _threshold(0.25, "Many dead filters from", "share", 0.01, 1.0)
    steady_records: int = _threshold(2, "Always on, duplicate or silent in", "records in a row", 1, 100)
    degenerate_frequency: float = _threshold(0.95, "Always on from", "share", 0.5, 1.0)
    stale_steps_share: float = _threshold(0.25, "Stale after a share of the recorded steps of", "share", 0.01, 1.0)
    stale_level: float = _threshold(0.25, "Stale if it reaches at most this share of its peak", "share", 0.05, 1.0)
    stale_records: int = _threshold(8, "Judge staleness after", "records", 2, 1000)
    duplicate_phi: float = _threshold(0.95, "Near-duplicate from a similarity of", "", 0.5, 1.0)
    silent_share: float = _threshold(0.5, "Silent layer from", "share", 0.01, 1.0)
    diverged_ratio: float = _threshold(2.0, "Diverged from this many times the best loss", "times", 1.1, 100.0)
    plateau_share: float = _threshold(0.3, "Plateau over the last share of the run", "share", 0.05, 0.9)
    plateau_points: int = _threshold(10, "Judge a plateau on at least", "values", 4, 1000)
    plateau_gain: float = _threshold(0.01, "Improvement that counts, of all so far", "share", 0.0, 0.5)
    overfit_rise: float = _threshold(0.1, "Overfitting from a rise of validation loss over its best of", "share", 0, 10)
    overfit_gap: float = _threshold(10.0, "Overfitting from a gap between training and validation of", "points", 1, 100)
    overfit_points: int = _threshold(3, "Overfitting judged on at least", "validation values after the best", 2, 100)

    def __post_init__(self) -> None:
        for spec in threshold_specs():
            value = getattr(self, spec.name)
            if not spec.minimum <= value <= spec.maximum or (spec.integer and value != int(value)):
                kind = "a whole number" if spec.integer else "a number"
                raise ParameterError(
                    f"'{spec.label}' cannot be {value}.",
                    f"Choose {kind} from {spec.minimum:,g} to {spec.maximum:,g} ({spec.name}).",
                )

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Thresholds:
        """Thresholds with some set by name. Raises ParameterError for an unknown name or a value out of range."""
        known = {spec.name: spec for spec in threshold_specs()}
        for name in values:
            if name not in known:
                raise ParameterError(f"There is no threshold '{name}'.", f"Choose one of: {', '.join(known)}.")
        cast = {name: int(v) if known[name].integer and v == v // 1 else v for name, v in values.items()}
        return cls(**cast)  # type: ignore[arg-type]


def threshold_specs() -> tuple[ThresholdSpec, ...]:
    """The declaration of every threshold, in the order of the fields of ``Thresholds``."""
    return tuple(
        ThresholdSpec(name=f.name, default=f.default, integer=isinstance(f.default, int), **f.metadata)  # type: ignore[arg-type]
        for f in fields(Thresholds)
    )


def noun(meta: LayerMeta, count: int, capital: bool = False) -> str:
    """'filter' for convolutions, 'unit' for the others, in the number asked for."""
    word = ("filter" if meta.kind == "conv" else "unit") + ("" if count == 1 else "s")
    return word.capitalize() if capital else word


def listed(filters: Sequence[int]) -> str:
    """'3', '3 and 17', '3, 17 and 21'; beyond eight: the first eight 'and 12 more'."""
    names = [str(i) for i in filters[:NAMED]]
    rest = len(filters) - len(names)
    if rest:
        return f"{', '.join(names)} and {rest:,} more"
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def layer_name(meta: LayerMeta) -> str:
    """'conv2'; the bare number of a layer in an ``nn.Sequential`` comes with its type: 'layer 3 (Conv2d)'."""
    return f"layer {meta.name} ({meta.type})" if _is_number(meta.name) else meta.name


def _is_number(name: str) -> bool:
    """Whether a name is '3', '0.2' or, for one of several calls, '3#1'."""
    return name.partition("#")[0].replace(".", "").isdigit()


def named(meta: LayerMeta, filters: Sequence[int]) -> str:
    """'Filters 3, 17 and 21 of conv2'."""
    return f"{noun(meta, len(filters), capital=True)} {listed(filters)} of {layer_name(meta)}"


def number(value: float) -> str:
    """Three significant digits, plain where that is readable."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def plural(count: int, word: str) -> str:
    """'1 record', '2,048 patches'."""
    ending = "" if count == 1 else "es" if word.endswith(("ch", "ss")) else "s"
    return f"{count:,} {word}{ending}"
