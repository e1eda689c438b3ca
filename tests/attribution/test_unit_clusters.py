"""Several units of a layer explained as one: their mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.attribution.case import Case
from analysis.attribution.targets import Unit
from analysis.errors import CutawayError, NotFound, ParameterError
from tests.layers.desk import open_desk
from tests.sequences.conftest import TOKENS, labelled, texts
from tests.sequences.nets import Text, seeded


def test_several_units_are_written_and_read() -> None:
    unit = Unit.parse("lstm:7+1+5+1")
    assert unit is not None
    assert unit.indices == (1, 5, 7)
    assert str(unit) == "lstm:1+5+7"
    assert Unit.parse(str(unit)) == unit
    assert unit.name == "units 1, 5 and 7 of lstm"
    assert Unit.parse("a:2+3:max") == Unit("a", 2, "max", (3,))
    assert Unit("a", 3).name == "unit 3 of a"
    assert Unit("a", 0, "mean", tuple(range(1, 12))).name == "the 12 units 0, 1, 2, 3, … of a"


@pytest.mark.parametrize("text", ["a:1+", "a:+1", "a:1++2", "a:1,2", ":1+2"])
def test_what_is_no_list_of_units_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="cannot be read"):
        Unit.parse(text)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_the_score_of_several_units_is_the_mean_of_their_scores(tmp_path: Path, pool: str) -> None:
    session = open_desk(seeded(lambda: Text("GRU")), labelled(texts()), tmp_path, decode=TOKENS)
    batch = session.batch([0, 1, 2])
    ending = ":max" if pool == "max" else ""

    def scores(units: str) -> torch.Tensor:
        with Case(session, batch, "predicted", f"rnn:{units}{ending}") as case:
            return case.score(case.inputs).detach()

    together = scores("0+2+3")
    torch.testing.assert_close(together, torch.stack([scores(unit) for unit in "023"]).mean(0))
    with pytest.raises(NotFound, match="no filter 9"):
        scores("1+9")


def test_the_attribution_of_several_units_is_the_mean_of_theirs(tmp_path: Path) -> None:
    session = open_desk(seeded(lambda: Text("GRU")), labelled(texts()), tmp_path, decode=TOKENS)

    def asked(units: str) -> tuple[np.ndarray, dict[str, object]]:
        answer = session.ask("attribution", instance=0, method="input_x_gradient", version=1, unit=f"rnn:{units}")
        return np.asarray(answer.array("attribution")), answer.json

    try:
        together, said = asked("1+4")
    except CutawayError as error:
        pytest.skip(error.message)
    np.testing.assert_allclose(together, (asked("1")[0] + asked("4")[0]) / 2, atol=1e-6)
    assert said["unit"] == "rnn:1+4"
    assert said["target_name"] == "the mean of units 1 and 4 of rnn"
