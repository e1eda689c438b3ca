"""Files of weights: what they claim, what they would execute, what they hold. Threats 1, 9 and 11."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from analysis.models import checkpoints
from analysis.models.checkpoints import (
    CheckpointError,
    State,
    apply,
    differences,
    load_checkpoint,
    sha256_of,
    weights_hash,
)
from tests.models import zoo

ROOT = Path(__file__).parents[2]


class Marker:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def state() -> dict[str, torch.Tensor]:
    return zoo.resnet_small().state_dict()


# --- threat 1: nothing is executed


def _torch_zip(path: Path, marker: Marker) -> None:
    torch.save({"weight": torch.zeros(2), "more": marker}, path)


def _torch_legacy(path: Path, marker: Marker) -> None:
    torch.save({"weight": torch.zeros(2), "more": marker}, path, _use_new_zipfile_serialization=False)


def _exported(path: Path, marker: Marker) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/data/sample_inputs/model.pt", pickle.dumps(marker))
        archive.writestr("model/models/model.json", "{}")


def _script(path: Path, marker: Marker) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, but such files are about
        torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{path.stem}/extra/more.pkl", pickle.dumps(marker))


def _numpy(path: Path, marker: Marker) -> None:
    np.save(path, np.array([marker], dtype=object), allow_pickle=True)


def _numpy_archive(path: Path, marker: Marker) -> None:
    np.savez(path, weight=np.array([marker], dtype=object))


def _renamed(path: Path, marker: Marker) -> None:
    path.write_bytes(pickle.dumps(marker))


FORMATS: dict[str, Callable[[Path, Marker], Any]] = {
    "weights.pt": _torch_zip,
    "legacy.pth": _torch_legacy,
    "program.pt2": _exported,
    "program.pt": _exported,
    "script.pt": _script,
    "weights.joblib": lambda path, marker: joblib.dump(marker, path),
    "packed.joblib": lambda path, marker: joblib.dump(marker, path, compress=3),
    "weights.npy": _numpy,
    "weights.npz": _numpy_archive,
    "weights.pkl": _renamed,
    "weights.safetensors": _renamed,
}


def test_the_marker_is_made_where_a_pickle_is_trusted(tmp_path: Path) -> None:
    """The tests below would notice an execution."""
    path = tmp_path / "weights.pt"
    _torch_zip(path, Marker(tmp_path / "marker"))
    load_checkpoint(path, trusted=[path])
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_nothing_in_a_file_is_executed(
    name: str, forced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    path, marked = tmp_path / name, tmp_path / "marker"
    FORMATS[name](path, Marker(marked))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert str(path) in caught.value.message
    assert "safetensors.torch.save_file" in caught.value.remedy
    assert not marked.exists()


def test_a_pickle_is_opened_only_if_its_path_is_trusted(tmp_path: Path) -> None:
    path, other = tmp_path / "model.pt", tmp_path / "other.pt"
    model = zoo.resnet_small()
    torch.save(model, path)
    with pytest.raises(CheckpointError, match="could execute code") as caught:
        load_checkpoint(path, trusted=[other])
    assert f"--trust-pickle {path}" in caught.value.remedy
    found = load_checkpoint(path, trusted=[tmp_path / "." / "model.pt"])
    assert found.format == "trusted pickle"
    assert set(found.tensors) == set(model.state_dict())


def test_a_safetensors_file_stays_one_also_if_its_path_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file({"weight": torch.ones(2)}, path)
    found = load_checkpoint(path, trusted=[path])
    assert found.format == "safetensors"
    assert found.tensors["weight"].tolist() == [1, 1]


# --- threat 9: nothing is allocated that the file does not hold


class Opcodes:
    """Writes pickles by hand."""

    def __init__(self) -> None:
        self.data = b"\x80\x02"

    def name(self, module: str, name: str) -> Opcodes:
        self.data += f"c{module}\n{name}\n".encode()
        return self

    def text(self, value: str) -> Opcodes:
        self.data += b"X" + struct.pack("<I", len(value)) + value.encode()
        return self

    def number(self, value: int) -> Opcodes:
        raw = value.to_bytes(9, "little", signed=True)
        self.data += b"\x8a" + bytes([len(raw)]) + raw
        return self

    def raw(self, value: bytes) -> Opcodes:
        self.data += value
        return self

    def storage(self, count: int, more: bytes = b"") -> Opcodes:
        self.raw(b"(").text("storage").name("torch", "FloatStorage").text("0").text("cpu").number(count)
        return self.raw(more + b"tQ")


def _claiming(count: int, more: bytes = b"") -> bytes:
    """A dictionary with one tensor of so many values."""
    pickled = Opcodes().raw(b"}").text("weight").name("torch._utils", "_rebuild_tensor_v2").raw(b"(")
    pickled.storage(count, more).number(0).number(count).raw(b"\x85").number(1).raw(b"\x85\x89")
    return pickled.name("collections", "OrderedDict").raw(b")RtRs.").data


def _archive(path: Path, pickled: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", pickled)
        archive.writestr("weights/data/0", bytes(1000))
        archive.writestr("weights/version", "3\n")


def _legacy(path: Path, pickled: bytes) -> None:
    buffer = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(value, buffer, protocol=2)
    path.write_bytes(buffer.getvalue() + pickled + pickle.dumps(["0"], protocol=2) + bytes(1000))


def _calling(module: str, name: str, *numbers: int) -> bytes:
    pickled = Opcodes().raw(b"}").text("weight").name(module, name).raw(b"(")
    for number in numbers:
        pickled.number(number)
    return pickled.raw(b"tRs.").data


def _expanded() -> bytes:
    pickled = Opcodes().raw(b"}").text("weight").name("torch._utils", "_rebuild_tensor_v2").raw(b"(").storage(1)
    pickled.number(0).raw(b"(").number(9000).number(9000).number(9000).raw(b"t(").number(0).number(0).number(0)
    return pickled.raw(b"t\x89").name("collections", "OrderedDict").raw(b")RtRs.").data


def _header(size: int, tensors: dict[str, Any]) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", size or len(text)) + text + bytes(64)


def _stored_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/data.pkl", _claiming(2**27))
        archive.writestr("weights/data/0", bytes(2**20))


MALFORMED: list[Any] = [
    [],
    {"weight": 3},
    {"weight": {"dtype": "F32", "shape": [16], "data_offsets": [0]}},
    {"weight": {"dtype": "F32", "shape": [-4, -4], "data_offsets": [0, 64]}},
    {"weight": {"dtype": "?", "shape": [16], "data_offsets": [0, 64]}},
    {"weight": {"dtype": "F32", "shape": None, "data_offsets": [0, 64]}},
    {"weight": {"dtype": "F32", "shape": [1e400], "data_offsets": [0, 64]}},
]
ENTRY = {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}
BOMBS: dict[str, Callable[[Path], Any]] = {
    "terabytes.pt": lambda path: _archive(path, _claiming(10**12)),
    "gigabytes.pt": lambda path: _archive(path, _claiming(10**9)),
    "legacy.pt": lambda path: _legacy(path, _claiming(10**12, b"N")),
    "legacy gigabytes.pt": lambda path: _legacy(path, _claiming(10**9, b"N")),
    "bytes.pt": lambda path: _archive(path, _calling("builtins", "bytearray", 10**12)),
    "constructor.pt": lambda path: _archive(path, _calling("torch", "FloatTensor", 10**6, 10**6)),
    "new.pt": lambda path: _archive(path, _calling("torch", "FloatTensor", 10**11).replace(b"tR", b"t\x81")),
    "storage.pt": lambda path: _archive(path, _calling("torch.storage", "UntypedStorage", 10**12)),
    "expanded.pt": lambda path: _archive(path, _expanded()),
    "deflated.pt": _stored_bomb,
    "text.pt": lambda path: _archive(path, b"\x80\x02X\xff\xff\xff\x7fa."),
    "header.safetensors": lambda path: path.write_bytes(_header(2**39, {})),
    "offsets.safetensors": lambda path: path.write_bytes(_header(0, {"weight": ENTRY})),
    "shape.safetensors": lambda path: path.write_bytes(_header(0, {"weight": {**ENTRY, "data_offsets": [0, 64]}})),
    "overlap.safetensors": lambda path: path.write_bytes(
        _header(0, {name: {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]} for name in "ab"})
    ),
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process of its own, with memory limits off, says of each bomb: error, seconds, growth in MB."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, write in BOMBS.items():
        write(folder / name)
    code = """
import json, resource, sys, time
from pathlib import Path
from analysis.models.checkpoints import CheckpointError, load_checkpoint
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        load_checkpoint(path)
        error = ""
    except CheckpointError as caught:
        error = caught.message
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found[path.name] = [error, time.process_time() - began, (after - before) / 1024]
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_claims_more_than_it_holds_is_refused(name: str, opened: dict[str, Any]) -> None:
    error, seconds, megabytes = opened[name]
    assert f"{name} is not opened: " in error
    assert seconds < 2
    assert megabytes < 200


@pytest.mark.parametrize("header", MALFORMED, ids=str)
def test_malformed_headers_are_errors(header: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(_header(0, header))
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt", "legacy.pth"])
@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_are_errors(name: str, seed: int, tmp_path: Path) -> None:
    """Cut anywhere, or with bytes replaced anywhere: weights of the right shapes, or a clear error."""
    path = tmp_path / name
    save(path, {"weight": torch.randn(6, 5), "bias": torch.randn(6)})
    data = path.read_bytes()
    random = np.random.default_rng(seed)
    for _ in range(12):
        broken = bytearray(data)
        for at in random.integers(0, len(data), 3):
            broken[at] = random.integers(256)
        path.write_bytes(broken[: random.integers(len(data))] if random.random() < 0.4 else broken)
        with contextlib.suppress(CheckpointError):  # any other error fails
            found = load_checkpoint(path)
            assert sum(tensor.numel() for tensor in found.tensors.values()) <= len(data)


def save(path: Path, content: Any) -> None:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file({name: value.contiguous() for name, value in content.items()}, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=path.suffix != ".pth")


# --- threat 11: a changed file is seen


def test_a_flipped_byte_changes_the_checksum(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save(path, state())
    before = load_checkpoint(path)
    assert before.sha256 == sha256_of(path)
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    path.write_bytes(data)
    assert load_checkpoint(path).sha256 != before.sha256
    with pytest.raises(CheckpointError, match=r"checksum of .* differs"):
        load_checkpoint(path, expected=before.sha256)


# --- what files hold


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt", "weights.pth"])
def test_weights_of_each_format_arrive(name: str, tmp_path: Path) -> None:
    save(tmp_path / name, state())
    found = load_checkpoint(tmp_path / name)
    assert found.format == ("safetensors" if name.endswith("safetensors") else "torch")
    model = zoo.resnet_small()
    for parameter in model.parameters():
        parameter.data.zero_()
    apply(model, found)
    assert weights_hash(model) == weights_hash(zoo.resnet_small())


def test_training_checkpoints_are_unwrapped(tmp_path: Path) -> None:
    model = zoo.resnet_small()
    optimizer = torch.optim.Adam(model.parameters())
    model.train()(torch.randn(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    wrapped = {f"module._orig_mod.{name}": value for name, value in model.state_dict().items()}
    content = {"model_state_dict": wrapped, "optimizer": optimizer.state_dict(), "epoch": 3, "seed": 2**60}
    torch.save(content, tmp_path / "last.pt")
    found = load_checkpoint(tmp_path / "last.pt")
    assert "The weights are those under 'model_state_dict'." in found.notes
    assert any("'module.'" in note for note in found.notes)
    apply(model, found)


def test_between_two_sets_of_weights_nothing_is_guessed(tmp_path: Path) -> None:
    torch.save({"model": state(), "state_dict": state()}, tmp_path / "two.pt")
    with pytest.raises(CheckpointError, match="'state_dict', 'model'"):
        load_checkpoint(tmp_path / "two.pt")


@pytest.mark.parametrize("content", [{"epoch": 3}, [torch.zeros(2)], {}])
def test_files_without_weights_say_what_they_hold(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match=r"holds (no weights|a list)"):
        load_checkpoint(tmp_path / "none.pt")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path / "absent.pt")


def test_checkpoints_of_another_device_open_here(tmp_path: Path) -> None:
    """As written on a GPU: the storages' location reads 'cuda:0'."""
    path = tmp_path / "cuda.pt"
    torch.save({"weight": torch.arange(6.0)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            cpu, cuda = (b"X" + struct.pack("<I", len(text)) + text for text in (b"cpu", b"cuda:0"))
            archive.writestr(name, data.replace(cpu, cuda) if name.endswith("data.pkl") else data)
    assert cuda in zipfile.ZipFile(path).read(next(name for name in entries if name.endswith("data.pkl")))
    assert load_checkpoint(path).tensors["weight"].device.type == "cpu"


def test_differences_are_listed_and_the_model_is_left_alone() -> None:
    model = zoo.resnet_small()
    before = weights_hash(model)
    tensors = dict(model.state_dict())
    tensors["extra.weight"] = tensors.pop("fc.bias")
    tensors["stem.weight"] = torch.zeros(8, 3, 5, 5)
    del tensors["bn.num_batches_tracked"]
    found = differences(model, tensors)
    assert (found.missing, found.unexpected) == (["fc.bias"], ["extra.weight"])
    assert found.shapes == {"stem.weight": ((8, 3, 5, 5), (8, 3, 3, 3))}
    assert found.sentence() == (
        "1 missing (fc.bias), 1 unexpected (extra.weight), "
        "1 of another shape (stem.weight: 8 x 3 x 5 x 5, the model has 8 x 3 x 3 x 3)."
    )
    with pytest.raises(CheckpointError, match="1 missing"):
        apply(model, State(tensors, "", "torch"))
    assert weights_hash(model) == before
    assert not differences(model, model.state_dict())
    assert differences(model, model.state_dict()).sentence() == ""


def test_of_tied_weights_one_name_is_enough_and_counts_once(tmp_path: Path) -> None:
    model = zoo.tied()
    safetensors.torch.save_model(model, tmp_path / "tied.safetensors")
    found = load_checkpoint(tmp_path / "tied.safetensors")
    assert len(found.tensors) < len(model.state_dict())
    for parameter in model.parameters():
        parameter.data.zero_()
    apply(model, found)
    assert weights_hash(model) == weights_hash(zoo.tied())


def test_names_with_one_leading_part_more_or_less_fit(tmp_path: Path) -> None:
    model = zoo.resnet_small()
    save(tmp_path / "a.pt", {f"net.{name}": value for name, value in model.state_dict().items()})
    apply(model, load_checkpoint(tmp_path / "a.pt"))
    save(tmp_path / "b.pt", state())
    apply(nn.ModuleDict({"net": model}), load_checkpoint(tmp_path / "b.pt"))


def test_the_hash_of_weights_tells_names_values_types_and_shapes_apart() -> None:
    def hashed(**tensors: torch.Tensor) -> str:
        module = nn.Module()
        for name, value in tensors.items():
            module.register_buffer(name, value)
        return weights_hash(module)

    base = torch.arange(4.0)
    hashes = [
        hashed(a=base),
        hashed(b=base),
        hashed(a=base.reshape(2, 2)),
        hashed(a=base.bfloat16()),
        hashed(a=base + 1e-6),
        hashed(a=torch.zeros(0)),
        hashed(a=base, b=base.clone()),
    ]
    assert len(set(hashes)) == len(hashes)
    assert hashed(a=base.clone()) == hashed(a=base)


@pytest.mark.parametrize("name", ["code.pt", "models.pt", "archive_format.pt"])
def test_a_file_may_have_any_name(name: str, tmp_path: Path) -> None:
    save(tmp_path / name, state())  # the name is that of the folder in the archive
    assert load_checkpoint(tmp_path / name).format == "torch"


@pytest.mark.parametrize("name", ["last.pt", "last.safetensors"])
def test_a_file_that_is_written_while_it_is_read_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    save(path, state())
    read = checkpoints._read

    def meanwhile(*arguments: Any) -> Any:
        save(path, {key: value * 2 for key, value in state().items()})
        return read(*arguments)

    monkeypatch.setattr(checkpoints, "_read", meanwhile)
    with pytest.raises(CheckpointError, match="changed while it was read"):
        load_checkpoint(path)
