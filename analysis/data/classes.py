"""Names of the classes: given, or where a data set or a model carries them; never chosen between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from analysis.data.errors import SubjectError
from analysis.data.source import innermost

_GIVE = "Give class_names=[...] in the order of the model's outputs."


def plain_class_names(names: Any) -> list[str] | None:
    """Class names as a list of texts: from a list, or a dictionary from class number to name.

    Raises:
        SubjectError: something else, or a dictionary whose keys are not 0, 1, 2...
    """
    if names is None:
        return None
    if isinstance(names, Mapping):
        try:
            numbered = {int(key): value for key, value in names.items()}
        except (TypeError, ValueError):
            raise SubjectError("The keys of class_names are not numbers.", _GIVE) from None
        if sorted(numbered) != list(range(len(numbered))):
            raise SubjectError("The keys of class_names are not 0, 1, 2 and so on without gaps.", _GIVE)
        names = [numbered[key] for key in range(len(numbered))]
    if isinstance(names, (str, bytes)) or not hasattr(names, "__iter__"):
        raise SubjectError(f"class_names is a {type(names).__name__}.", _GIVE)
    return [_one(name) for name in names]


def found_names(data: Any, model: nn.Module, label_key: str) -> tuple[list[str], str] | None:
    """Names that the data set or the model carries, and where; None if neither does.

    Raises:
        SubjectError: both do, and they differ.
    """
    found = [part for part in (_of_data(innermost(data), label_key), _of_model(model)) if part is not None]
    if len(found) == 2 and [n.casefold() for n in found[0][0]] != [n.casefold() for n in found[1][0]]:
        raise SubjectError(
            f"{found[0][1]} and {found[1][1]} name different classes ({_short(found[0][0])}; {_short(found[1][0])}).",
            _GIVE,
        )
    return found[0] if found else None


def label_feature(data: Any) -> str:
    """The key of a Hugging Face data set's only feature with class names; '' if it has none.

    Raises:
        SubjectError: it has several.
    """
    features = getattr(innermost(data), "features", None)
    if not isinstance(features, Mapping):
        return ""
    keys = [str(key) for key, feature in features.items() if _names_of(feature)]
    if len(keys) > 1:
        usual = [key for key in keys if key in ("label", "labels")]
        if len(usual) != 1:
            raise SubjectError(
                f"The data set has several columns of classes: {', '.join(keys)}.",
                "Rename the one to use to 'label', or give collate_fn=, which yields (inputs, labels).",
            )
        return usual[0]
    return keys[0] if keys else ""


def check_names(names: Sequence[str], outputs: int, where: str) -> None:
    """Raises SubjectError unless there is a name for each of the model's outputs."""
    if len(names) != outputs:
        raise SubjectError(
            f"There are {len(names):,} class names ({where}), but the model has {outputs:,} outputs.",
            "Give class_names= with one name for each output; check also that model and data belong together.",
        )


def _of_data(data: Any, label_key: str) -> tuple[list[str], str] | None:
    features = getattr(data, "features", None)
    if isinstance(features, Mapping) and label_key and _names_of(features.get(label_key)):
        return [_one(name) for name in _names_of(features[label_key])], f"features[{label_key!r}].names"
    classes = getattr(data, "classes", None)
    if isinstance(classes, (list, tuple)) and classes:
        return [_one(name) for name in classes], "the data set's 'classes'"
    return None


def _of_model(model: nn.Module) -> tuple[list[str], str] | None:
    table = getattr(getattr(model, "config", None), "id2label", None)
    if not isinstance(table, Mapping) or not table:
        return None
    try:
        names = plain_class_names(table) or []
    except SubjectError:
        return None
    generic = all(name == f"LABEL_{number}" for number, name in enumerate(names))
    return None if generic else (names, "the model's config.id2label")


def _names_of(feature: Any) -> list[Any]:
    names = getattr(feature, "names", None)
    return list(names) if isinstance(names, (list, tuple)) else []


def _one(name: Any) -> str:
    return ", ".join(map(str, name)) if isinstance(name, (tuple, list)) else str(name)


def _short(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
