"""A digest of the code that an answer depends on: the subject file, the model's and the data's classes, functions."""

from __future__ import annotations

import functools
import hashlib
import inspect
from pathlib import Path
from typing import Any

import torch

from analysis.subject.subject import Subject


def code_hash(subject: Subject, source: str) -> str:
    """SHA-256, hexadecimal, of what the user wrote and of how the model is built.

    Args:
        source: digest of the subject file, '' where there is none (a notebook); then the text of what is known counts.
    """
    digest = hashlib.sha256(f"{source}\n{torch.__version__}\n{subject.model!r}\n".encode())
    said = (subject.kind, subject.output, subject.embedding_layer, subject.class_names, subject.sampling_rate)
    digest.update(repr((said, subject.layers)).encode())
    found: dict[str, bytes] = {}
    for thing in _things(subject):
        found.setdefault(f"{thing.__module__}.{thing.__qualname__}", _text(thing))
    for name in sorted(found):
        digest.update(name.encode())
        digest.update(hashlib.sha256(found[name]).digest())
    return digest.hexdigest()


def _things(subject: Subject) -> list[Any]:
    """Classes and functions that are not torch's own."""
    classes = {cls for module in subject.model.modules() for cls in type(module).__mro__}
    classes |= set(type(subject.source.data).__mro__)
    functions = [subject.collate_fn, subject.forward_func, subject.inverse_transform, subject.decode]
    for function in functions:
        while isinstance(function, functools.partial):
            function = function.func
        function = inspect.unwrap(function) if callable(function) else None
        function = getattr(function, "__func__", function)
        if function is not None:
            classes.add(function if hasattr(function, "__qualname__") else type(function))
    foreign = [
        thing for thing in classes if getattr(thing, "__module__", "").split(".")[0] not in ("torch", "builtins")
    ]
    return [thing for thing in foreign if hasattr(thing, "__qualname__")]


def _text(thing: Any) -> bytes:
    """The file that a class or function comes from, or else its own text."""
    try:
        path = inspect.getsourcefile(thing)
        if path and Path(path).is_file():
            return Path(path).read_bytes()
        return inspect.getsource(thing).encode()
    except (OSError, TypeError):
        code = getattr(thing, "__code__", None)
        return code.co_code if code is not None else b""
