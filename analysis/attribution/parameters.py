"""Parameters as methods declare them: once, for the controls of the page, for checks, and for keys. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from analysis.errors import ParameterError

KINDS = ("int", "float", "choice", "flag", "layer")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method.

    name: as in Captum ('n_steps'). kind: 'int', 'float', 'choice', 'flag' (a bool) or 'layer' (a layer's key; '' for
    the default). default: its value. low, high: of numbers. choices: of 'choice'; of 'layer', filled in by the
    pre-flight. help: one sentence, with the unit.
    """

    name: str
    kind: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def read(self, value: Any) -> Any:
        """A value from the page or a link, checked. Raises ParameterError, saying what is accepted."""
        try:
            return self._read(value)
        except (TypeError, ValueError, OverflowError):
            raise ParameterError(f"{self.name} cannot be {str(value)[:60]!r}.", self._accepts()) from None

    def _read(self, value: Any) -> Any:
        if self.kind == "flag":
            if value in (True, "true", "on", "1", 1):
                return True
            if value in (False, "false", "off", "0", 0):
                return False
            raise ValueError
        if self.kind in ("choice", "layer"):
            text = str(value)
            if self.kind == "layer" and not self.choices:
                return text  # which layers there are is known with the model
            if text in self.choices or (self.kind == "layer" and text == "") or text == self.default:
                return text
            raise ValueError
        number = float(value)
        if self.kind == "int":
            if number != int(number):
                raise ValueError
            number = int(number)
        elif not math.isfinite(number):
            raise ValueError
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise ValueError
        return number

    def _accepts(self) -> str:
        if self.kind == "flag":
            return "Give on or off."
        if self.choices:
            listed = ", ".join(repr(choice) for choice in self.choices[:8])
            return f"Choose one of: {listed}{', …' if len(self.choices) > 8 else ''}."
        what = "a whole number" if self.kind == "int" else "a number"
        if self.low is not None and self.high is not None:
            return f"Give {what} from {self.low:g} to {self.high:g}."
        return f"Give {what}{'' if self.low is None else f' from {self.low:g}'}."

    def with_(self, **changes: Any) -> Parameter:
        """A copy with other values, such as a default that fits the model."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "choices": list(self.choices)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Parameter:
        """The reverse of ``to_json``."""
        return cls(**{**value, "choices": tuple(value["choices"])})


RANDOM = Parameter(
    "random_state", "int", 0, "Seed of the random numbers: the same seed, the same result.", 0, 2**31 - 1
)


def checked(parameters: Iterable[Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters with their values, defaults filled in, in the order of their declaration.

    Raises:
        ParameterError: a value is not accepted, or there is no such parameter.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in values:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise ParameterError(f"There is no parameter {str(name)[:60]!r}.", f"The method's parameters: {listed}.")
    return {name: one.read(values.get(name, one.default)) for name, one in known.items()}
