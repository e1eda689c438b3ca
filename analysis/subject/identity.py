"""A digest of the code that an answer depends on: the subject file, the model's and the data's classes, functions.

Also of what they hold beside weights: attributes of modules, buffers that are not saved, values that functions refer
to, and files of the user's that they import.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from analysis.data.digests import feed, is_plain
from analysis.data.metadata import Column
from analysis.subject.modules import reached
from analysis.subject.subject import Subject

_USUAL = frozenset(vars(nn.Module()))  # attributes of every module


def code_hash(subject: Subject, source: str, metadata: Iterable[Column] = ()) -> str:
    """SHA-256, hexadecimal, of what the user wrote and of how the model is built.

    Args:
        source: digest of the subject file, '' where there is none (a notebook); then the text of what is known counts.
        metadata: columns whose values count, too.
    """
    digest = hashlib.sha256(f"{source}\n{torch.__version__}\n{subject.model!r}\n".encode())
    said = (subject.kind, subject.output, subject.embedding_layer, subject.class_names, subject.sampling_rate)
    digest.update(repr((said, subject.layers, subject.batch_size)).encode())
    if subject.feature_names is not None:
        digest.update(repr(subject.feature_names).encode())
    if subject.baselines is not None and not callable(subject.baselines):
        feed(digest, {"baselines": subject.baselines})
    _feed_attributes(digest, subject.model)
    functions = [subject.collate_fn, subject.forward_func, subject.inverse_transform, subject.decode]
    functions += [subject.baselines] if callable(subject.baselines) else []
    functions += [subject.encode] if subject.encode is not None else []
    functions += subject.subsets.values()
    for name in subject.subsets:
        digest.update(name.encode())
    for column in metadata:
        digest.update(f"{column.name} {column.kind} {column.values.dtype}".encode())
        digest.update(np.ascontiguousarray(column.values).tobytes())
    classes = {cls for module in subject.model.modules() for cls in type(module).__mro__}
    forwards = sorted(filter(_foreign, classes), key=_name)
    texts: dict[str, bytes] = {}
    for function in (*functions, *(getattr(cls, "forward", None) for cls in forwards)):
        _feed_function(digest, function, texts)
    for thing in filter(_foreign, classes | set(type(subject.source.data).__mro__)):
        texts.setdefault(_name(thing), _text(thing))
    homes = {name.rpartition(":")[0] for name in texts}
    texts |= {f"{name}:": path.read_bytes() for name, path in reached(homes).items()}
    for name in sorted(texts):
        digest.update(name.encode())
        digest.update(hashlib.sha256(texts[name]).digest())
    return digest.hexdigest()


def _foreign(thing: Any) -> bool:
    """Whether a class or function is neither torch's nor Python's own."""
    home = getattr(thing, "__module__", None) or ""
    return hasattr(thing, "__qualname__") and home.split(".")[0] not in ("torch", "builtins")


def _name(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"


def _feed_attributes(digest: Any, model: nn.Module) -> None:
    """What modules hold that is in no checkpoint."""
    for name, module in model.named_modules():
        held = {key: value for key, value in vars(module).items() if key not in _USUAL and is_plain(value)}
        held |= {key: module._buffers[key] for key in module._non_persistent_buffers_set}
        if held:
            digest.update(name.encode())
            feed(digest, {key: held[key] for key in sorted(held)})


def _feed_function(digest: Any, function: Any, texts: dict[str, bytes], depth: int = 0) -> None:
    """Values that a function refers to, and into ``texts`` its own text and that of the functions that it calls."""
    while isinstance(function, functools.partial):
        _feed_plain(digest, {"args": function.args, **function.keywords})
        function = function.func
    if function is None or depth > 8:
        return
    if not callable(function) or is_plain(function):
        _feed_plain(digest, {"value": function})
        return
    function = inspect.unwrap(function)
    owner = getattr(function, "__self__", None)
    function = getattr(function, "__func__", function)
    if not inspect.isfunction(function):
        owner, function = function, inspect.getattr_static(type(function), "__call__", None)
        texts.setdefault(_name(type(owner)), _text(type(owner)))
    if owner is not None and not isinstance(owner, nn.Module):
        _feed_plain(digest, dict(getattr(owner, "__dict__", {})))
    if not inspect.isfunction(function) or not _foreign(function):
        return
    known = _name(function) in texts
    texts.setdefault(_name(function), _text(function))
    _feed_plain(digest, {"defaults": function.__defaults__, "named": function.__kwdefaults__})
    try:
        found = inspect.getclosurevars(function)
    except (TypeError, ValueError):
        return
    used = {**found.globals, **found.nonlocals}
    _feed_plain(digest, used)
    for name in sorted(used):
        if inspect.isfunction(used[name]) and not known:
            _feed_function(digest, used[name], texts, depth + 1)


def _feed_plain(digest: Any, values: dict[str, Any]) -> None:
    feed(digest, {name: values[name] for name in sorted(values) if is_plain(values[name])})


def _text(thing: Any) -> bytes:
    """The file that a class or function comes from, or else its own text."""
    try:
        path = inspect.getsourcefile(thing)
        if path and Path(path).is_file():
            status = Path(path).stat()
            return _read(path, status.st_mtime_ns, status.st_size)
        return inspect.getsource(thing).encode()
    except (OSError, TypeError):
        code = getattr(thing, "__code__", None)
        return code.co_code if code is not None else b""


@functools.lru_cache(maxsize=128)
def _read(path: str, _changed: int, _size: int) -> bytes:
    return Path(path).read_bytes()
