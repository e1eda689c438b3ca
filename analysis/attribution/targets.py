"""What is explained: the score of a class, the difference of two, or a unit of a layer. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analysis.errors import ParameterError

PREDICTED, TRUE = "predicted", "true"
REMEDY = "Give 'predicted', 'true', a class number such as '3', or two of them such as '3-5'."
_CLASSES = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
POOLS = ("mean", "max")  # over the positions of a unit
NAMED = 6  # units that are listed by number


@dataclass(frozen=True)
class Target:
    """How ``target`` reads: classes: (), one, or two of which the second is subtracted. name: 'predicted', 'true' or
    ''."""

    name: str = PREDICTED
    classes: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read 'predicted', 'true', '3' or '3-5'. Raises ParameterError."""
        if text in (PREDICTED, TRUE):
            return cls(text)
        match = _CLASSES.fullmatch(text)
        if match is None:
            raise ParameterError(f"The target {text[:60]!r} cannot be read.", REMEDY)
        classes = tuple(int(part) for part in match.groups() if part is not None)
        if len(set(classes)) < len(classes):
            raise ParameterError(f"The target {text!r} compares a class with itself.", "Choose two classes.")
        return cls("", classes)

    def resolve(self, prediction: int, label: int, classes: int) -> tuple[int, ...]:
        """The classes that are meant for an instance.

        Raises:
            ParameterError: the model has no such class, or the instance has no label.
        """
        if self.name == PREDICTED:
            return (prediction,)
        if self.name == TRUE:
            if label < 0:
                raise ParameterError("This instance has no label.", "Choose another target: 'predicted', or a class.")
            return (label,)
        for number in self.classes:
            if number >= classes:
                raise ParameterError(
                    f"There is no class {number:,}: the model has {classes:,} outputs.",
                    f"Choose a target from 0 to {classes - 1:,}.",
                )
        return self.classes


@dataclass(frozen=True)
class Unit:
    """A filter or hidden unit that is explained instead of an output, or the mean of several of a layer.

    layer: its key. pool: 'mean' or 'max' over its positions, before a rectifier; of each, where they are several.
    others: further units, in any order; kept ascending, without repetition.
    """

    layer: str
    index: int
    pool: str = "mean"
    others: tuple[int, ...] = ()

    @property
    def indices(self) -> tuple[int, ...]:
        """All units, ascending."""
        return tuple(sorted({self.index, *self.others}))

    @property
    def name(self) -> str:
        """'unit 3 of lstm', 'units 1, 5 and 7 of lstm', 'the 12 units 1, 5, 7, … of lstm'."""
        numbers = [str(number) for number in self.indices]
        if len(numbers) == 1:
            return f"unit {numbers[0]} of {self.layer}"
        if len(numbers) > NAMED:
            return f"the {len(numbers)} units {', '.join(numbers[: NAMED - 2])}, … of {self.layer}"
        return f"units {', '.join(numbers[:-1])} and {numbers[-1]} of {self.layer}"

    @classmethod
    def parse(cls, text: str) -> Unit | None:
        """Read 'layer:17', 'layer:17:max', or of several 'layer:1+5+7'; None for ''. Raises ParameterError."""
        if not text:
            return None
        rest, _, pool = text.rpartition(":") if text.endswith(tuple(f":{pool}" for pool in POOLS)) else (text, "", "")
        layer, _, index = rest.rpartition(":")
        if not layer or not re.fullmatch(r"\d{1,9}(\+\d{1,9})*", index):
            raise ParameterError(f"The unit {text[:60]!r} cannot be read.", "Give a layer and a number: 'conv2:17'.")
        first, *others = sorted({int(number) for number in index.split("+")})
        return cls(layer, first, pool or "mean", tuple(others))

    def __str__(self) -> str:
        return f"{self.layer}:{'+'.join(map(str, self.indices))}" + ("" if self.pool == "mean" else f":{self.pool}")
