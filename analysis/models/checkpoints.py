"""Weights from files: nothing in a file is executed, and nothing is allocated that the file does not hold.

Safetensors, or torch files read with ``weights_only=True``; other formats are refused, because opening them runs code
that they contain. An ordinary pickle is opened only if its path was named as trusted on the server's command line.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from analysis.errors import CutawayError
from analysis.models import claims

_NESTED = ("state_dict", "model_state_dict", "model", "module")  # where training scripts keep the weights
_PREFIXES = ("module.", "_orig_mod.")  # of wrappers
_SHOWN = 4  # names listed in an error
_SAFE_WAY = (
    "Save the weights alone, in the environment that made it: "
    "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')."
)


class CheckpointError(CutawayError):
    """A file of weights cannot be opened safely, or does not fit the model."""


@dataclass(frozen=True)
class State:
    """Weights as read from a file, on the CPU.

    tensors: by parameter name, wrappers' prefixes removed. sha256: of the file. format: 'safetensors', 'torch', or
    'trusted pickle'. notes: what was inferred, in sentences.
    """

    tensors: dict[str, Tensor]
    sha256: str
    format: str
    notes: list[str] = field(default_factory=list)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises OSError."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_checkpoint(path: Path, *, trusted: Collection[Path] = (), expected: str | None = None) -> State:
    """Read weights from a file.

    Args:
        path: the file. trusted: pickles that may be executed; only a path among them is.
        expected: the SHA-256 it must have.

    Raises:
        CheckpointError: missing, another checksum than expected, a format whose opening would execute code, damaged,
            claiming more than the file holds, or without weights. The message names the file, the remedy the safe way.
    """
    path = Path(path)
    try:
        before = _stamp(path)
        digest = sha256_of(path)
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from None
    if expected is not None and digest != expected:
        raise CheckpointError(
            f"The checksum of {path} differs: the file is not the one that was described.",
            "Restore the file, or describe the subject again with the new one.",
        )
    trusts = path.resolve() in {Path(other).resolve() for other in trusted}
    # A file of safetensors is none of pickle, also where it is trusted.
    kind = "trusted pickle" if trusts and not _is_safetensors(start) else _kind(path, start)
    try:
        content = _read(path, kind, trusts)
    except claims.BadClaim as error:
        raise CheckpointError(f"{path} is not opened: {error}.", "Copy it again from where it was saved.") from None
    if _stamp(path) != before:  # a training may be writing it: these weights would go by another's checksum
        raise CheckpointError(f"{path} changed while it was read.", "Try again when it has been written.")
    notes: list[str] = []
    tensors = _stripped(_weights(path, content, notes), notes)
    return State(tensors, digest, kind, notes)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Another value when a file was written or replaced; None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _is_safetensors(start: bytes) -> bool:
    """Whether a file begins like one: the length of its header, then the header's brace."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 2**40


def _kind(path: Path, start: bytes) -> str:
    """'safetensors' or 'torch'.

    Raises:
        CheckpointError: any other format.
    """
    if _is_safetensors(start):
        return "safetensors"
    if start.startswith(claims.LEGACY_START[:16]):
        return "torch"
    if not start.startswith(b"PK\x03\x04"):
        raise _refused(path, _name_of(path, start))
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # a damaged archive raises many kinds
        raise CheckpointError(f"{path} is a damaged archive.", "Copy it again from where it was saved.") from None
    # The folder around all is called as the file was, which says nothing of its format.
    around = names[0].split("/")[0] if len({name.split("/")[0] for name in names}) == 1 else ""
    parts = {part for name in names for part in name.removeprefix(f"{around}/").split("/")}
    if {"code", "constants.pkl"} & parts:
        raise _refused(path, "a TorchScript archive")
    if any(name.endswith(".npy") for name in names):
        raise _refused(path, "a NumPy archive")
    exported = {"archive_format", "serialized_exported_program.json", "serialized_state_dict.pt", "models"}
    if path.suffix == ".pt2" or exported & parts:
        raise _refused(path, "an exported program (.pt2)")
    if "data.pkl" not in parts:
        raise _refused(path, "an archive of something else than weights")
    return "torch"


def _name_of(path: Path, start: bytes) -> str:
    if start.startswith(b"\x93NUMPY"):
        return "a NumPy array"
    if path.suffix == ".joblib":
        return "a joblib file"
    if start.startswith(b"\x89HDF"):
        return "an HDF5 file"
    return "a pickle" if start.startswith(b"\x80") else "a file of unknown format"


def _refused(path: Path, what: str) -> CheckpointError:
    return CheckpointError(f"{path} is {what}; opening it could execute code that it contains.", _SAFE_WAY)


def _read(path: Path, kind: str, trusts: bool) -> Any:
    if kind == "safetensors":
        claims.check_safetensors(path)
        try:
            return safetensors.torch.load_file(path)
        except Exception as error:  # the library's own kinds
            raise claims.BadClaim(str(error)) from None
    if not trusts:
        (claims.check_torch_zip if zipfile.is_zipfile(path) else claims.check_torch_legacy)(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=not trusts)
    except Exception as error:  # unpicklers raise anything
        if trusts:
            raise CheckpointError(f"{path} cannot be unpickled: {error}.", _SAFE_WAY) from None
        reason = str(error).split("WeightsUnpickler error: ")[-1].split("\n")[0].split(" Please use")[0].strip()
        raise CheckpointError(
            f"{path} holds more than weights and is not opened, as that could execute code: {reason[:200]}",
            f"{_SAFE_WAY} If you made the file yourself, restart with --trust-pickle {path}.",
        ) from None


def _weights(path: Path, content: Any, notes: list[str], depth: int = 0) -> dict[str, Tensor]:
    if isinstance(content, nn.Module):
        notes.append("The file holds a whole module; its state_dict is used.")
        content = content.state_dict()
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not weights by name.", _SAFE_WAY)
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    nested = [name for name in _NESTED if isinstance(content.get(name), (Mapping, nn.Module))]
    if len(nested) > 1:
        raise CheckpointError(
            f"{path} holds weights under several names: {', '.join(map(repr, nested))}.",
            "Save the one that is meant to a file of its own.",
        )
    if nested and depth < 3:
        notes.append(f"The weights are those under {nested[0]!r}.")
        return _weights(path, content[nested[0]], notes, depth + 1)
    if not tensors:
        raise CheckpointError(f"{path} holds no weights, but {_named(content) or 'nothing'}.", _SAFE_WAY)
    if len(tensors) < len(content):
        notes.append(f"Left out, as no tensors: {_named(str(name) for name in content if str(name) not in tensors)}.")
    return tensors


def _stripped(tensors: dict[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    """Names without the prefixes of wrappers."""
    stripped = {name.replace("._orig_mod.", "."): value for name, value in tensors.items()}
    prefix = next((p for p in _PREFIXES if all(name.startswith(p) for name in stripped)), None)
    while prefix:
        notes.append(f"The prefix {prefix!r} of all names was removed.")
        stripped = {name.removeprefix(prefix): value for name, value in stripped.items()}
        prefix = next((p for p in _PREFIXES if all(name.startswith(p) for name in stripped)), None)
    return stripped


@dataclass(frozen=True)
class Differences:
    """How weights differ from what a model takes.

    missing: names of the model that are not there. unexpected: names the model does not have. shapes: by name, the
    shape there and the model's.
    """

    missing: list[str]
    unexpected: list[str]
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.shapes)

    def sentence(self) -> str:
        """The differences in words; '' if there are none."""
        parts = []
        if self.missing:
            parts.append(f"{len(self.missing)} missing ({_named(self.missing)})")
        if self.unexpected:
            parts.append(f"{len(self.unexpected)} unexpected ({_named(self.unexpected)})")
        if self.shapes:
            listed = [
                f"{name}: {_shape(there)}, the model has {_shape(own)}" for name, (there, own) in self.shapes.items()
            ]
            parts.append(f"{len(self.shapes)} of another shape ({_named(listed, '; ')})")
        return f"{', '.join(parts)}." if parts else ""


def differences(model: nn.Module, tensors: Mapping[str, Tensor]) -> Differences:
    """Compare names and shapes. Of tied weights one name is enough; counters of BatchNorm may be missing."""
    own = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    present = {_place(value) for name, value in own.items() if name in tensors}
    missing = [
        name
        for name, value in own.items()
        if name not in tensors and not name.endswith("num_batches_tracked") and _place(value) not in present
    ]
    unexpected = [name for name in tensors if name not in own]
    shapes = {
        name: (tuple(tensors[name].shape), tuple(value.shape))
        for name, value in own.items()
        if name in tensors and tensors[name].shape != value.shape
    }
    return Differences(missing, unexpected, shapes)


def apply(model: nn.Module, state: State) -> None:
    """Copy weights into a model, in place; its device and types stay.

    Raises:
        CheckpointError: names or shapes differ; the model is then unchanged.
    """
    tensors = fitting(model, state)
    try:
        model.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise CheckpointError(f"The weights do not fit the model: {error}", "Check subject().") from None


def fitting(model: nn.Module, state: State) -> dict[str, Tensor]:
    """Weights by the model's names. Raises CheckpointError if names or shapes differ."""
    tensors = _fitted(model, state.tensors)
    found = differences(model, tensors)
    if found:
        raise CheckpointError(
            f"The weights do not fit the model: {found.sentence()}",
            "Build the model in subject() with the parameters it was trained with.",
        )
    return tensors


def _fitted(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with one leading name removed or added, where that alone makes the names those of the model."""
    own = set(model.state_dict())
    if own & set(tensors):
        return dict(tensors)
    for prefix in {f"{name.split('.')[0]}." for name in tensors}:
        if all(name.startswith(prefix) and name.removeprefix(prefix) in own for name in tensors):
            return {name.removeprefix(prefix): value for name, value in tensors.items()}
    for prefix in {f"{name.split('.')[0]}." for name in own}:
        if all(prefix + name in own for name in tensors):
            return {prefix + name: value for name, value in tensors.items()}
    return dict(tensors)


def weights_hash(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of a model's parameters and buffers; of tied weights once."""
    digest = hashlib.sha256()
    first: dict[Any, str] = {}
    for name, value in sorted(model.state_dict().items()):
        if not isinstance(value, Tensor) or nn.parameter.is_lazy(value):
            digest.update(f"{name} {type(value).__name__}\n".encode())
            continue
        same = first.setdefault(_place(value), name)
        digest.update(f"{name} {same} {value.dtype} {tuple(value.shape)}\n".encode())
        if same == name:
            flat = value.detach().cpu().contiguous().flatten()
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _place(value: Tensor) -> Any:
    """The same for tensors that are one and the same memory; a key of its own for an empty one."""
    if value.numel() == 0 or value.device.type == "meta":
        return object()
    return value.device, value.data_ptr(), value.dtype, tuple(value.shape), value.stride()


def _named(names: Iterable[Any], between: str = ", ") -> str:
    listed = [str(name)[:100] for name in names]
    more = len(listed) - _SHOWN
    return between.join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "scalar"
