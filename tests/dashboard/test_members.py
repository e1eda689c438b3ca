"""Who belongs to a subset, in a page request: tables that grow, saved subsets, what a question is asked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.errors import NotFound, ParameterError
from analysis.extraction.reader import Extraction
from analysis.subsets.expression import ExpressionError
from analysis.subsets.subset import Named, mask
from analysis.subsets.table import packed
from dashboard import members, subjects
from dashboard.asking import NotReady
from dashboard.framing import frame
from dashboard.selection import Selection
from tests.dashboard.maps_subject import MadeUp
from tests.extraction.fabricate import lenet


class Sampled(MadeUp):
    """With columns: brightness is the label, night a truth, the text says the index."""

    def __init__(self, app: Any, name: str, **how: Any) -> None:
        about = {"classes": [*map(str, range(9)), "<b>nine</b>"], "layers": [one.to_json() for one in lenet()]}
        about |= {"code": "c", "weights": "w", "data": name, "kind": "image"}
        super().__init__(app, name, description=about | how.pop("description", {}), n=100, **how)
        self.makers["instance_columns"] = self.columns

    def columns(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The answer of the worker."""
        index = self.extraction.indices
        said = {"names": [], "unit": "", "reason": ""}
        listed = [
            said | {"name": "brightness", "title": "Brightness", "kind": "number", "source": "feature"},
            said | {"name": "night", "title": "night", "kind": "truth", "source": "function"},
        ]
        arrays = {"index": index, "c/0": self.extraction.labels / 10.0, "c/1": (index % 2).astype("u1")}
        arrays["text"], arrays["offsets"] = packed([f"number {at}" for at in index])
        return {"columns": listed, "text": True}, arrays


@pytest.fixture
def made(put: Callable[..., Any]) -> Sampled:
    return put(Sampled)


def shown(search: str = "/?view=instances") -> Any:
    return frame(search)


def test_columns_join_when_they_are_there(made: Sampled) -> None:
    made.waiting.add("instance_columns")
    before = members.table(shown())
    assert before.waiting
    assert "brightness" not in before.columns
    assert before.n == 100
    with pytest.raises(ExpressionError, match="so far"):
        members.rows(shown(), "brightness > 0.5")
    made.waiting.clear()
    after = members.table(shown())
    assert not after.waiting
    assert members.rows(shown(), "brightness > 0.55").tolist() == np.flatnonzero(made.extraction.labels > 5).tolist()
    assert after.texts is not None


def test_what_is_about_the_model_only_asks_the_worker_nothing(made: Sampled) -> None:
    assert members.rows(shown(), "wrong").tolist() == np.flatnonzero(~made.extraction.correct).tolist()
    assert members.rows(shown(), "class:3").tolist() == np.flatnonzero(made.extraction.labels == 3).tolist()
    assert len(members.rows(shown(), "label == 3 and confidence > 0.5"))
    assert members.rows(shown(), None).tolist() == list(range(100))
    assert made.asked == []


def test_columns_that_fail_leave_the_model_s_and_say_why(made: Sampled, monkeypatch: pytest.MonkeyPatch) -> None:
    job = SimpleNamespace(error={"message": "A function failed."}, id="1", state="failed")
    monkeypatch.setattr(subjects, "ask", lambda *_a, **_k: subjects.Asked("failed", job=job))  # type: ignore[arg-type]
    found = members.table(shown())
    assert not found.waiting
    assert found.left_out == (("metadata and features", "A function failed."),)
    assert len(members.rows(shown(), "correct"))
    assert made.asked == []


def test_a_damaged_answer_is_said(made: Sampled) -> None:
    made.makers["instance_columns"] = lambda: (
        {"columns": [{"name": "x", "title": "x", "kind": "number", "source": "feature"}], "text": False},
        {"index": np.arange(3)},
    )
    with pytest.raises(NotFound, match="damaged"):
        members.table(shown())


def test_rows_are_those_of_the_finished_part(put: Callable[..., Any]) -> None:
    made = put(Sampled, only=[0])
    found = members.table(shown())
    assert found.n == made.extraction.done == 64
    assert found.waiting
    assert made.asked == [], "columns of a part would be computed twice"


def test_without_activations_there_is_nothing_to_select(made: Sampled) -> None:  # noqa: ARG001
    bare = replace_frame(shown(), None)
    with pytest.raises(NotReady):
        members.rows(bare, "wrong")
    assert members.title(bare, "class:3") == "instances labelled 3"


@dataclass(frozen=True)
class Bare:
    """A frame without activations."""

    selection: Selection
    description: dict[str, Any]
    extraction: Extraction | None

    def class_name(self, label: int) -> str:
        return str(self.description["classes"][label])


def replace_frame(given: Any, extraction: Extraction | None) -> Bare:
    return Bare(given.selection, given.description, extraction)


def test_subsets_are_saved_renamed_and_deleted(made: Sampled) -> None:
    assert members.saved(shown()) == []
    members.save(shown(), "dark ones", "brightness < 0.3", note="by hand")
    members.save(shown(), "lasso", indices=made.extraction.indices[[4, 2]])
    assert [one.name for one in members.saved(shown())] == ["lasso", "dark ones"]
    assert members.rows(shown(), "saved:lasso").tolist() == [2, 4]
    dark = np.flatnonzero(made.extraction.labels < 3)
    assert members.rows(shown(), "saved:dark ones").tolist() == dark.tolist()
    text = members.combine(shown(), "and", "saved:dark ones", "wrong")
    assert members.rows(shown(), text).tolist() == [row for row in dark if not made.extraction.correct[row]]
    assert len(members.rows(shown(), members.combine(shown(), "not", "saved:dark ones"))) == 100 - len(dark)
    members.rename(shown(), "dark ones", "night")
    assert [one.name for one in members.saved(shown())] == ["night", "lasso"]
    assert members.title(shown(), "saved:night") == "'night'"
    members.delete(shown(), "lasso")
    with pytest.raises(ExpressionError, match="no saved subset 'lasso'"):
        members.rows(shown(), "saved:lasso")


def test_only_a_subset_that_fits_is_saved(made: Sampled) -> None:  # noqa: ARG001
    for text, words in (("bright > 3", "no column 'bright'"), ("(wrong", "not closed"), ("label == 'x'", "no value")):
        with pytest.raises(ExpressionError, match=words):
            members.save(shown(), "a", text)
    with pytest.raises(ExpressionError):
        members.combine(shown(), "and", "wrong", "confidence")
    members.save(shown(), "a", "wrong")
    with pytest.raises(ParameterError, match="already"):
        members.save(shown(), "a", "correct")
    members.save(shown(), "a", "correct", again=True)
    assert members.saved(shown())[0].text == "correct"


def test_a_lasso_is_about_instances_whatever_the_sample(made: Sampled) -> None:
    there = made.extraction.indices
    members.save(shown(), "some", indices=[*there[:3].tolist(), 599, 598])
    assert set(members.rows(shown(), "saved:some")) >= {0, 1, 2}


def test_a_picker_offers_shortcuts_saved_ones_and_what_is_chosen(made: Sampled) -> None:
    members.save(shown(), "<b>bold</b>", "wrong")
    offered = {one["value"]: one["label"] for one in members.options(shown("/?view=instances&subset=label+%3D%3D+2"))}
    assert list(offered)[:3] == ["all", "wrong", "saved:<b>bold</b>"]
    assert offered["class:9"] == "labelled <b>nine</b>"
    assert offered["predicted:0"] == "predicted 0"
    assert offered["label == 2"] == "instances labelled 2"
    assert "(nonsense" in {one["value"] for one in members.options(shown("/?view=instances&subset=(nonsense"))}
    made.description["classes"] = [f"c{at}" for at in range(10_000)]
    assert len(members.options(shown())) < 3000


def test_a_question_gets_all_that_a_subset_refers_to(made: Sampled) -> None:
    members.save(shown(), "few", indices=[*made.extraction.indices[:4].tolist(), 599])
    members.save(shown(), "dark", "brightness < 0.3")
    members.save(shown(), "both", "subset('few') or subset('dark')")
    text, saved = members.portable(shown(), "saved:both")
    assert text == "saved:both"
    assert set(saved) == {"both", "few", "dark"}
    assert saved["few"]["indices"] == [
        int(at) for at in made.extraction.indices if at in {*made.extraction.indices[:4], 599}
    ]
    given = {name: Named(**one) for name, one in saved.items()}
    rows = members.rows(shown(), "saved:both").tolist()
    assert np.flatnonzero(mask(text, members.table(shown()), given)).tolist() == rows
    assert members.portable(shown(), "wrong") == ("wrong", {})
    assert members.portable(shown(), None) == ("all", {})
    with pytest.raises(ExpressionError):
        members.portable(shown(), "brihgtness > 3")


def test_another_subject_has_subsets_of_its_own(made: Sampled) -> None:
    members.save(shown(), "mine", "wrong")
    other = replace_frame(shown(), made.extraction)
    other = replace(other, description={**other.description, "data": "others"})
    assert members.saved(other) == []
    retrained = replace(other, description={**made.description, "weights": "later"})
    assert [one.name for one in members.saved(retrained)] == ["mine"]
