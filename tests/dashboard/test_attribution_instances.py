"""The panel of instances to explain, called as a plain function on made-up samples."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np
import pytest

from analysis.questions import keys
from dashboard import subjects
from dashboard.views.attribution import data, instances_panel

from .attribution_stage import Explained, draw_controls, draw_instances, draw_maps, found_in
from .test_training import places, text_of


def test_wrong_instances_come_first_and_are_told_by_shape(made: Explained) -> None:
    mark, subtitle, state, tiles, name, steps, *_ = draw_instances("?view=attribution")
    found = made.extraction
    wrong = int((found.predictions != found.labels).sum())
    assert mark
    assert state is None
    assert f"{found.done} instances read · {wrong} wrong" in subtitle
    assert name == "at-strip at-image"
    assert len(tiles) == instances_panel.STRIP
    signs = [text_of(found_in(tile, "at-sign")) for tile in tiles]
    assert signs == ["✗"] * wrong + ["✓"] * (len(tiles) - wrong)
    assert len(found_in(tiles, "chosen")) == 1
    assert found_in(tiles, "chosen")[0].__dict__["aria-current"] == "true"
    assert places(steps) == [places(tiles)[1]], "the first has none before it"


def test_filters_and_pages_of_the_grid(made: Explained) -> None:
    found = made.extraction
    only = draw_instances("?view=attribution&alist=grid", wrong=True)
    assert {place["instances"] for place in places(only[3])} == set(
        found.indices[found.predictions != found.labels].tolist()
    )
    label = int(found.labels[0])
    of_class = draw_instances("?view=attribution&alist=grid", label=str(label))
    assert len(of_class[3]) == int((found.labels == label).sum())
    page = draw_instances("?view=attribution&aorder=index&alist=grid", page=1)
    assert [place["instances"] for place in places(page[3])] == np.sort(found.indices)[instances_panel.PAGE :].tolist()
    assert "page 2 of 2" in text_of(page[7])
    far = draw_instances("?view=attribution&alist=grid", page=10**9)
    assert far[3]
    for hostile in ("-1", "x", "9" * 40, "²", {"a": 1}):
        assert draw_instances("?view=attribution", label=hostile)[0]


@pytest.mark.parametrize("order", ["confidence", "loss", "index"])
def test_instances_are_in_the_order_asked_for(made: Explained, order: str) -> None:
    tiles = draw_instances(f"?view=attribution&aorder={order}")[3]
    rows = made.extraction.rows_of([place["instances"] for place in places(tiles)])
    values = {"confidence": made.extraction.confidence, "loss": -made.extraction.loss, "index": made.extraction.indices}
    shown = values[order][rows]
    assert (np.diff(shown) >= 0).all()


DISAGREEING = "?view=attribution&aorder=disagreement"


def compared(made: Explained, values: dict[int, float], *, asked: list[int]) -> None:
    """An answer of the worker about the instances ``asked``; those without a value are still to come."""
    known = [index for index in asked if index in values]
    arrays = {"instance": np.array(known, np.int64), "disagreement": np.array([values[i] for i in known], np.float32)}
    answer = ({"n": len(known), "done": len(known), "of": len(asked), "skipped": []}, arrays)
    made.makers["attribution_disagreement"] = lambda **_how: answer


def wanted_in(drawn: tuple[object, ...]) -> list[str]:
    """What a click on the button asks for."""
    [button] = found_in(drawn[2], "outline-button")
    return str(button.__dict__["data-at-want"]).split()


@pytest.mark.usefixtures("made")
def test_without_maps_nothing_is_ranked_and_a_button_says_what_all_of_them_cost(made: Explained) -> None:
    drawn = draw_instances(DISAGREEING)
    count = made.extraction.done
    assert f"ordered by disagreement over 0 of {count}" in drawn[1]
    said = text_of(drawn[2])
    assert f"Compute the maps of {count} instances" in said
    assert f"up to {2 * count} maps" in said
    assert f"over 0 of {count} instances" in said
    assert not [one for one in made.asked if one[0] == "attribution_disagreement"], "nothing is computed unasked"
    assert places(drawn[3]) == places(draw_instances("?view=attribution")[3]), "as in 'wrong first' meanwhile"


def test_who_wants_it_gets_an_order_over_all_instances(made: Explained) -> None:
    indices = [int(index) for index in made.extraction.indices]
    values = dict(zip(indices, np.random.default_rng(3).permutation(len(indices)).tolist(), strict=True))
    compared(made, values, asked=indices)
    tokens = wanted_in(draw_instances(DISAGREEING))
    drawn = draw_instances(DISAGREEING, stored=tokens)
    assert f"ordered by disagreement over all {len(indices)}" in drawn[1]
    assert drawn[2] is None, "nothing is missing"
    whole = [place["instances"] for place in places(draw_instances(f"{DISAGREEING}&alist=grid", stored=tokens)[3])]
    assert whole == sorted(indices, key=lambda index: -values[index])[: len(whole)]
    [(_, params)] = [one for one in made.asked if one[0] == "attribution_disagreement"][:1]
    assert sorted(params["instances"]) == sorted(indices)
    assert [one["method"] for one in params["methods"]] == ["integrated_gradients", "saliency"]


def test_instances_without_a_defined_disagreement_are_counted(made: Explained) -> None:
    indices = [int(index) for index in made.extraction.indices]
    compared(made, {index: 0.5 if index != indices[3] else float("nan") for index in indices}, asked=indices)
    drawn = draw_instances(DISAGREEING, stored=wanted_in(draw_instances(DISAGREEING)))
    assert f"over {len(indices) - 1} of {len(indices)}" in drawn[1]
    assert f"undefined for 1 of {len(indices)} instances" in text_of(drawn[2])


def test_a_part_of_the_maps_ranks_a_part_and_says_so(made: Explained, monkeypatch: pytest.MonkeyPatch) -> None:
    indices = [int(index) for index in made.extraction.indices]
    values = {indices[0]: 0.2, indices[1]: 1.3, indices[2]: float("nan")}
    compared(made, values, asked=indices)
    part = made.ask(None, "attribution_disagreement", instances=[], methods=[]).answer  # type: ignore[arg-type]
    tokens = wanted_in(draw_instances(DISAGREEING))
    ask = made.ask

    def waiting(selection: Any, question: str, **how: Any) -> subjects.Asked:
        if question == "attribution_disagreement":
            return subjects.Asked("waiting", None, None, "k", part)
        return ask(selection, question, **how)

    monkeypatch.setattr(subjects, "ask", waiting)
    drawn = draw_instances(DISAGREEING, stored=tokens)
    assert f"ordered by disagreement over 2 of {len(indices)}" in drawn[1]
    assert [place["instances"] for place in places(drawn[3])][:2] == [indices[1], indices[0]]
    assert "disagreement 1.30" in text_of(drawn[3][0])
    assert f"Maps of {len(indices) - 3} more instances" in text_of(drawn[2])


def test_only_the_instances_that_pass_the_filters_are_computed(made: Explained) -> None:
    found = made.extraction
    wrong = [int(index) for index in found.indices[found.predictions != found.labels]]
    drawn = draw_instances(DISAGREEING, wrong=True)
    assert f"Compute the maps of {len(wrong)} instances" in text_of(drawn[2])
    compared(made, dict.fromkeys(wrong, 0.5), asked=wrong)
    draw_instances(DISAGREEING, wrong=True, stored=wanted_in(drawn))
    [(_, params)] = [one for one in made.asked if one[0] == "attribution_disagreement"]
    assert sorted(params["instances"]) == sorted(wrong)


def test_maps_that_were_computed_one_by_one_count_too(made: Explained) -> None:
    first = int(data.ranked(made.extraction, "wrong")[5])
    shown = data.frame(f"{DISAGREEING}&instances={first}")
    values = np.arange(9, dtype=np.float32)
    for name, array in (("integrated_gradients", values), ("saliency", values[::-1])):
        key = keys.answer_key(made.description, "attribution", shown.asked(name), None)
        made.answers.put(key, {"form": "input"}, {"attribution": array})
    drawn = draw_instances(DISAGREEING)
    assert f"ordered by disagreement over 1 of {made.extraction.done}" in drawn[1]
    assert places(drawn[3])[0] == {"instances": first}
    assert "disagreement 2.00" in text_of(drawn[3][0])


def test_one_method_cannot_disagree(made: Explained) -> None:
    drawn = draw_instances(f"{DISAGREEING}&methods=saliency,layer_conductance")
    assert "Choose at least two methods" in text_of(drawn[2])
    assert not made.asked or all(name != "attribution_disagreement" for name, _ in made.asked)


def test_an_instance_that_is_not_there_is_said_with_what_there_is_and_a_way_out(made: Explained) -> None:
    drawn = draw_instances("?view=attribution&instances=99999")
    assert "600 instances, 0 to 599: there is no instance 99,999" in text_of(drawn[2])
    assert {"instances": None} in places(drawn[2])
    assert len(drawn[3]) == instances_panel.STRIP, "the list is there all the same"
    panels = [text_of(draw_controls("?view=attribution&instances=99999")[3])]
    panels.append(text_of(draw_maps("?view=attribution&instances=99999")[2]))
    assert panels == ["There is no instance 99,999 in this data set. See 'Instances'."] * 2
    assert made


@pytest.mark.usefixtures("bare_request")
def test_a_partial_sample_is_listed_and_says_so(bare_app: dash.Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Explained(bare_app, "table", name="partial", shard=32, only=[0])
    made.install(monkeypatch)
    assert not made.extraction.complete
    drawn = draw_instances("?view=attribution")
    assert "32 of 80 read so far" in drawn[1]
    assert places(drawn[3])
