"""Verdicts of people: kept whatever happens, checked, exported."""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.attribution import feedback
from analysis.attribution.feedback import Feedback, subject_key
from analysis.attribution.regions_marked import check_region, mask_of
from analysis.errors import NotFound, ParameterError

SUBJECT = {"name": "digits", "weights": "w" * 64, "data": "d" * 64}


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "instance": 3,
        "method": "saliency",
        "params": {"abs": True},
        "target": "predicted",
        "unit": "",
        "kind": "image",
        "shape": [1, 8, 10],
        "verdict": "wrong",
        "note": "looks at the corner",
        "region": [[0, 0, 2, 3]],
        "edit": [],
        "checkpoint": {"name": "step 5", "sha256": "c" * 64, "path": "/somewhere"},
    } | changes


def arrays_of(packed: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {
            name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
            for name in archive.namelist()
        }


def test_a_verdict_is_kept_with_what_it_is_of(tmp_path: Path) -> None:
    kept = Feedback(tmp_path, SUBJECT).add(entry())
    [found] = Feedback(tmp_path, SUBJECT).all()
    assert found == kept
    assert found["subject"] == SUBJECT
    assert found["checkpoint"] == {"name": "step 5", "sha256": "c" * 64}
    assert found["shape"] == [8, 10]
    assert found["region"] == [[0, 0, 2, 3]]
    assert found["time"] > 1.7e9
    assert Feedback(tmp_path, SUBJECT).of(3) == [found]
    assert Feedback(tmp_path, SUBJECT).of(3, "lrp") == []
    assert (tmp_path / subject_key(SUBJECT)).is_dir()


def test_verdicts_belong_to_a_subject_and_outlive_its_training(tmp_path: Path) -> None:
    Feedback(tmp_path, SUBJECT).add(entry())
    assert Feedback(tmp_path, SUBJECT | {"name": "other"}).all() == []
    assert Feedback(tmp_path, SUBJECT | {"data": "other"}).all() == []
    [found] = Feedback(tmp_path, SUBJECT | {"weights": "trained on"}).all()
    assert found["subject"]["weights"] == "w" * 64


def test_deleted_ones_are_gone_but_nothing_is_rewritten(tmp_path: Path) -> None:
    kept = Feedback(tmp_path, SUBJECT)
    first, second = kept.add(entry()), kept.add(entry(verdict="right", region=[]))
    before = (kept.home / feedback.LINES).read_bytes()
    kept.delete(first["id"])
    assert [one["id"] for one in kept.all()] == [second["id"]]
    assert (kept.home / feedback.LINES).read_bytes().startswith(before)
    with pytest.raises(NotFound):
        kept.delete(first["id"])
    with pytest.raises(NotFound):
        kept.delete("nonsense")


@pytest.mark.parametrize("torn", [b'{"verdict": {"id": "ab', b"\xff\xfe\x00", b"[1, 2]\n", b'{"verdict": 3}\nnull\n'])
def test_a_torn_line_costs_itself_only(tmp_path: Path, torn: bytes) -> None:
    kept = Feedback(tmp_path, SUBJECT)
    first = kept.add(entry())
    with (kept.home / feedback.LINES).open("ab") as file:
        file.write(torn)
    second = kept.add(entry(note="after"))
    assert [one["id"] for one in kept.all()] == [first["id"], second["id"]]


@pytest.mark.parametrize(
    "changes",
    [
        {"instance": "3"},
        {"verdict": "maybe"},
        {"region": [[0, 0, 99, 99]]},
        {"shape": [-1, 10]},
        {"kind": "sound"},
        {"time": None},
        {"time": float("nan")},
        {"subject": []},
        {"id": 7},
        {"params": None, "method": None},
    ],
)
def test_a_damaged_line_that_is_json_costs_itself_only_and_is_counted(tmp_path: Path, changes: dict[str, Any]) -> None:
    kept = Feedback(tmp_path, SUBJECT)
    first = kept.add(entry())
    assert kept.damaged() == 0
    bad = {**first, "id": "zz"} | changes
    with (kept.home / feedback.LINES).open("a") as file:
        file.write(json.dumps({"verdict": bad}) + "\n" + '{"verdict": {"id": "yy"}}\n' + '{"other": 1}\nnull\n')
    second = kept.add(entry(note="after"))
    assert [one["id"] for one in kept.of(3)] == [first["id"], second["id"]]
    assert len(arrays_of(kept.masks())) == 2
    value = json.loads(kept.export())
    assert value["verdicts"] == [first, second]
    assert value["damaged"] == kept.damaged() == 4


def test_characters_that_no_file_can_hold_are_replaced(tmp_path: Path) -> None:
    subject = SUBJECT | {"name": "dig\udc80its"}
    kept = Feedback(tmp_path, subject)
    told = kept.add(
        entry(
            note="half \ud800 of one, \ud83d\ude00 whole",
            params={"a\udfff": "\ud800"},
            target="\udc00",
            method="m\ud800",
        )
    )
    assert told["note"] == "half \ufffd of one, \U0001f600 whole"
    assert told["params"] == {"a\ufffd": "\ufffd"}
    assert Feedback(tmp_path, subject).all() == [told]
    assert json.loads(kept.export())["verdicts"] == [told]
    kept.masks()
    kept.delete(told["id"])
    assert kept.all() == []


def test_threads_lose_nothing(tmp_path: Path) -> None:
    def say(number: int) -> str:
        return str(Feedback(tmp_path, SUBJECT).add(entry(instance=number))["id"])

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(say, range(40)))
    found = Feedback(tmp_path, SUBJECT).all()
    assert sorted(one["id"] for one in found) == sorted(said)
    assert {one["instance"] for one in found} == set(range(40))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"verdict": "maybe"}, "right, wrong, unclear"),
        ({"verdict": None}, "right, wrong, unclear"),
        ({"verdict": ["wrong"]}, "right, wrong, unclear"),
        ({"instance": -1}, "number of an instance"),
        ({"instance": "3"}, "number of an instance"),
        ({"instance": True}, "number of an instance"),
        ({"note": "x" * 2001}, "2,000"),
        ({"method": ""}, "of no method"),
        ({"method": "m" * 501}, "500"),
        ({"kind": "sound"}, "image, series, text, table"),
        ({"shape": [0, 4]}, "no shape"),
        ({"shape": [1, 2, 3, 4]}, "no shape"),
        ({"shape": "28x28"}, "cannot be read"),
        ({"shape": [1 << 20, 1 << 20]}, "no shape"),
        ({"shape": []}, "needs the shape"),
        ({"region": "all"}, "cannot be read"),
        ({"region": [[0, 0, 11, 3]]}, "within 10 x 8"),
        ({"region": [[2, 2, 2, 3]]}, "x0 < x1"),
        ({"region": [[0, 0, 1.5, 3]]}, "does not lie"),
        ({"region": [[0, 0, 1]]}, "does not lie"),
        ({"region": [5]}, "does not lie"),
        ({"region": [[0, 0, 1, 1]] * 201}, "at most 200"),
        ({"params": {"a": float("nan")}}, "plain values"),
        ({"params": {"a": {1, 2}}}, "plain values"),
        ({"params": {"a": "x" * 10_001}}, "too long"),
        ({"kind": "text", "shape": [5], "region": [5]}, "no token 6. Mark some of its tokens: 1 to 5"),
        ({"kind": "table", "shape": [5], "region": [-1]}, "from 0 to 4"),
        ({"kind": "series", "shape": [2, 9], "region": [[2, 0, 3]]}, "2 channels and 9 steps"),
        ({"kind": "series", "shape": [2, 9], "region": [[None, 4, 10]]}, "2 channels and 9 steps"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    kept = Feedback(tmp_path, SUBJECT)
    with pytest.raises(ParameterError) as caught:
        kept.add(entry(**changes))
    assert words in f"{caught.value.message} {caught.value.remedy}"
    assert kept.all() == []


def test_the_export_holds_everything_and_masks_say_where(tmp_path: Path) -> None:
    kept = Feedback(tmp_path, SUBJECT)
    picture = kept.add(entry(region=[[0, 0, 2, 3], [8, 6, 10, 8]], note='Ünïcode\n"quoted"'))
    kept.add(entry(verdict="right"))
    kept.add(entry(region=[]))
    series = kept.add(entry(kind="series", shape=[3, 20], region=[[1, 4, 6], [None, 18, 20]], instance=5))
    text = kept.add(entry(kind="text", shape=[6], region=[0, 4], instance=6))
    table = kept.add(entry(kind="table", shape=[4], region=[2], instance=7))
    value = json.loads(kept.export())
    assert value["subject"] == SUBJECT
    assert value["verdicts"][0]["note"] == 'Ünïcode\n"quoted"'
    assert len(value["verdicts"]) == 6
    found = arrays_of(kept.masks())
    assert set(found) == {f"instance-{one['instance']}-{one['id']}" for one in (picture, series, text, table)}
    mask = found[f"instance-3-{picture['id']}"]
    assert mask.shape == (8, 10)
    assert mask.dtype == bool
    assert mask.sum() == 6 + 4
    assert mask[:3, :2].all()
    mask = found[f"instance-5-{series['id']}"]
    assert mask[1, 4:6].all()
    assert mask[:, 18:].all()
    assert mask.sum() == 2 + 6
    assert found[f"instance-6-{text['id']}"].tolist() == [True, False, False, False, True, False]
    assert found[f"instance-7-{table['id']}"].tolist() == [False, False, True, False]


def test_nothing_to_export_is_still_a_file(tmp_path: Path) -> None:
    kept = Feedback(tmp_path, SUBJECT)
    assert json.loads(kept.export())["verdicts"] == []
    assert arrays_of(kept.masks()) == {}


def test_there_is_a_most_and_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Feedback(tmp_path, SUBJECT)
    monkeypatch.setattr(feedback, "MOST", 2)
    kept.add(entry())
    kept.add(entry())
    with pytest.raises(ParameterError, match="that is the most"):
        kept.add(entry())
    monkeypatch.setattr(feedback, "MASK_BYTES", 100)
    with pytest.raises(ParameterError, match="too many for one file"):
        kept.masks()
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ParameterError, match="cannot be kept"):
        Feedback(blocked, SUBJECT).add(entry())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_masks_hold_exactly_the_boxes(height: int, width: int, data: st.DataObject) -> None:
    boxes = []
    for _ in range(data.draw(st.integers(1, 4))):
        x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        boxes.append([x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))])
    region = check_region("image", [height, width], boxes)
    slow = [
        [any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in boxes) for x in range(width)] for y in range(height)
    ]
    assert mask_of("image", [height, width], region).tolist() == slow
