"""What can go wrong when a model is explained. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from analysis.errors import CutawayError
from analysis.extraction.faults import tail_of
from analysis.jobs.calls import is_memory


class AttributionError(CutawayError):
    """An instance cannot be explained by a method. ``tail``: of the traceback, '' if there is none."""

    def __init__(self, message: str, remedy: str = "", tail: str = "") -> None:
        super().__init__(message, remedy)
        self.tail = tail


class ModelError(AttributionError):
    """Nothing of this model can be explained, whichever the instance."""


_UNUSED = ("not have been used in the graph", "does not require grad")  # autograd, of what a score does not depend on
_NO_GRADIENT = (
    "The score has no gradient at the input: something on the way breaks it (detach, argmax, no_grad, whole numbers).",
    "Choose a method that needs no gradient, such as Occlusion or Feature Ablation.",
)


@contextmanager
def in_words(what: str, remedy: str = "Look at what the model does with it, or choose another.") -> Iterator[None]:
    """An error of the model or of a method becomes a sentence: 'WHAT fails: ...'.

    Errors meant for the user pass as they are, and so does a lack of memory: the job is tried again with smaller
    passes.
    """
    try:
        yield
    except CutawayError:
        raise
    except Exception as error:
        if is_memory(error):
            raise
        if isinstance(error, RuntimeError) and any(words in str(error) for words in _UNUSED):
            raise AttributionError(*_NO_GRADIENT) from error
        raise AttributionError(f"{what} fails: {told(error)}.", remedy, tail_of(error)) from error


def told(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())[:300].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
