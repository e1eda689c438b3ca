"""What-if edits change what the model gets, and only that: what is shown is what it got."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from analysis.attribution import edits
from analysis.data.batch import Batch
from analysis.errors import ParameterError
from analysis.subject.session import Session
from tests.attribution.conftest import (
    WORDS,
    N,
    channels_last_session,
    drawn,
    explained,
    ids,
    image_session,
    labelled,
    opened,
    recurrent_session,
    series_session,
    smooth_image,
    table_net,
    table_session,
    text_session,
)
from tests.attribution.test_case import several_session


def edited(session: Session, *edit: dict[str, Any], instance: int = 0) -> Batch:
    return edits.applied(session, session.batch([instance]), edits.read(edit))


# Pictures


def test_a_painted_box_is_that_of_x_to_the_right_and_y_down() -> None:
    x = drawn(N, 3, 10, 12)[0]
    found = edited(image_session(), {"op": "paint", "box": [2, 3, 6, 5], "fill": "zero"}).principal[0]
    expected = x.clone()
    expected[:, 3:5, 2:6] = 0
    assert torch.equal(found, expected)
    last = edited(channels_last_session(), {"op": "paint", "box": [2, 3, 6, 5], "fill": "mean"}).principal[0]
    own = drawn(N, 10, 12, 3)[0]
    assert torch.allclose(last[3:5, 2:6], own.mean((0, 1)).expand(2, 4, 3))
    assert torch.equal(last[5:], own[5:])


@pytest.mark.parametrize("shade", ["black", "white"])
def test_black_and_white_are_as_they_are_shown(shade: str) -> None:
    def undo(x: Tensor) -> Tensor:
        return x * torch.tensor([0.2, 0.3, 0.1]).reshape(3, 1, 1) + 0.4

    pictures = (torch.rand(N, 3, 10, 12, generator=torch.Generator().manual_seed(0)) - 0.4) / 0.3
    wanted = 0 if shade == "black" else 255
    for session in (
        opened(smooth_image(), labelled(pictures, 4), inverse_transform=undo),
        opened(smooth_image(), labelled(pictures.abs().clamp(0, 1), 4)),
        image_session(),
    ):
        changed = edited(session, {"op": "paint", "box": [0, 0, 3, 2], "fill": shade})
        shown = edits.display_of(session, changed)
        assert (shown[:2, :3] == wanted).all()
        assert (shown[2:] == session.display(0)[2:]).all()


def test_a_shade_that_cannot_be_told_is_refused() -> None:
    session = opened(smooth_image(), labelled(drawn(N, 3, 10, 12), 4), inverse_transform=lambda x: x.sigmoid())
    with pytest.raises(ParameterError, match="What the model gets for black cannot be told"):
        edited(session, {"op": "paint", "box": [0, 0, 3, 2], "fill": "black"})


def test_a_blur_stays_in_its_box_and_takes_away_contrast() -> None:
    x = drawn(N, 3, 10, 12)[0]
    found = edited(image_session(), {"op": "blur", "box": [0, 0, 12, 6], "sigma": 2}).principal[0]
    assert torch.equal(found[:, 6:], x[:, 6:])
    assert float(found[:, :6].std()) < 0.5 * float(x[:, :6].std())


# Texts


def tokens(session: Session, *edit: dict[str, Any], instance: int = 1) -> list[str]:
    return edits.tokens_of(session, edited(session, *edit, instance=instance))


def test_tokens_are_replaced_inserted_and_deleted_in_order() -> None:
    session = text_session()
    before = session.tokens(1)
    assert tokens(session, {"op": "replace", "at": 2, "token": "w7"}) == [*before[:2], "w7", before[3]]
    assert tokens(session, {"op": "insert", "at": 0, "token": "w7"}) == ["w7", *before]
    assert tokens(session, {"op": "insert", "at": 4, "token": "w7"}) == [*before, "w7"]
    both = [{"op": "delete", "at": 0}, {"op": "replace", "at": 0, "token": "w9"}]
    assert tokens(session, *both) == ["w9", *before[2:]]


TEXTS = text_session()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["replace", "insert", "delete"]), st.integers(0, 8), st.integers(1, 19))))
def test_any_sequence_of_edits_is_that_of_a_list(steps: list[tuple[str, int, int]]) -> None:
    session = TEXTS
    expected, edit = session.tokens(0), []
    for name, at, number in steps[:20]:
        place = at % (len(expected) + (name == "insert"))
        if name == "delete" and len(expected) == 1:
            continue
        edit.append({"op": name, "at": place, **({} if name == "delete" else {"token": f"w{number}"})})
        if name == "delete":
            del expected[place]
        else:
            expected[place : place + (name == "replace")] = [f"w{number}"]
    batch = edited(session, *edit)
    assert edits.tokens_of(session, batch) == expected
    with torch.no_grad():
        direct = session.model(torch.tensor([[WORDS.index(word) for word in expected]]))
    assert torch.allclose(session.forward(batch), direct, atol=1e-6)


def test_masks_follow_and_other_inputs_stay() -> None:
    session = several_session()
    longer = edited(session, {"op": "insert", "at": 1, "token": "w3"})
    assert longer.kwargs["attention_mask"].tolist() == [[1] * 8]
    assert longer.principal.shape == (1, 8)
    assert torch.equal(longer.kwargs["age"], session.batch([0]).kwargs["age"])
    assert edited(session, {"op": "delete", "at": 1}).kwargs["attention_mask"].tolist() == [[1] * 6]


def test_texts_of_one_length_keep_it_as_long_as_there_is_padding() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.out = nn.Embedding(20, 4, padding_idx=0), nn.Linear(36, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.embedding(x).flatten(1))

    padded = [torch.cat([one, one.new_zeros(9 - len(one))]) for one in ids()]
    session = opened(Fixed(), labelled(padded), decode=WORDS)
    longer = edited(session, {"op": "insert", "at": 0, "token": "w3"}, instance=1)
    assert longer.principal.tolist() == [[3, *padded[1].tolist()[:-1]]]
    assert len(edits.tokens_of(session, longer)) == 5
    shorter = edited(session, {"op": "delete", "at": 0}, instance=1)
    assert shorter.principal.tolist() == [[*padded[1].tolist()[1:], 0]]
    value, arrays = explained(session, "saliency", 1, edit=[{"op": "delete", "at": 0}])
    assert len(value["tokens"]) == 3
    assert arrays["attribution"].shape == (3,)


class Tokenizer:
    pad_token_id = 0

    def convert_ids_to_tokens(self, numbers: list[int]) -> list[str]:
        return [WORDS[number] for number in numbers]

    def convert_tokens_to_ids(self, token: str) -> int:
        return WORDS.index(token) if token in WORDS else 1  # 1: unknown


@pytest.mark.parametrize(
    "decode",
    [
        WORDS,
        dict(enumerate(WORDS)),
        {word: number for number, word in enumerate(WORDS)},
        Tokenizer(),
        lambda number: WORDS[number],
        lambda numbers: [WORDS[number] for number in numbers],
    ],
    ids=["list", "by id", "by token", "tokenizer", "function of one", "function of several"],
)
def test_tokens_are_looked_up_in_whatever_decodes(decode: Any) -> None:
    session = text_session(decode=decode)
    assert edited(session, {"op": "replace", "at": 0, "token": "w12"}).principal[0, 0] == 12
    with pytest.raises(ParameterError, match="no token 'w123'") as caught:
        edited(session, {"op": "replace", "at": 0, "token": "w123"})
    assert "'w12'" in caught.value.remedy


def test_without_tokens_ids_are_named_by_number() -> None:
    session = text_session(decode=None)
    assert edited(session, {"op": "replace", "at": 0, "token": "#12"}).principal[0, 0] == 12
    with pytest.raises(ParameterError, match="tokens are numbers here"):
        edited(session, {"op": "replace", "at": 0, "token": "good"})


# Series


def test_a_channel_a_span_or_both_are_muted() -> None:
    x = drawn(N, 2, 64)[0]
    one = edited(series_session(), {"op": "mute", "channel": 1, "span": [10, 20], "fill": "zero"}).principal[0]
    expected = x.clone()
    expected[1, 10:20] = 0
    assert torch.equal(one, expected)
    every = edited(recurrent_session(), {"op": "mute", "channel": None, "span": [0, 11], "fill": "mean"}).principal[0]
    assert torch.allclose(every, drawn(N, 11, 3)[0].mean(0).expand(11, 3))


def test_a_line_joins_what_is_left_and_right_of_a_span() -> None:
    x = drawn(N, 2, 64)[0]
    found = edited(series_session(), {"op": "mute", "channel": 0, "span": [10, 13], "fill": "linear"}).principal[0]
    steps = x[0, 9] + (x[0, 13] - x[0, 9]) * torch.tensor([0.25, 0.5, 0.75])
    assert torch.allclose(found[0, 10:13], steps, atol=1e-6)
    start = edited(series_session(), {"op": "mute", "channel": 0, "span": [0, 3], "fill": "linear"}).principal[0]
    assert torch.allclose(start[0, :3], x[0, 3].expand(3))


# Tables


def test_a_value_is_given_in_the_units_shown() -> None:
    scale, shift = torch.tensor([2.0, 0.5, 100.0, 1.0, -3.0]), torch.tensor([0.0, 7.0, 1000.0, 0.0, 1.0])
    session = table_session(inverse_transform=lambda x: x * scale + shift)
    found = edited(session, {"op": "set", "column": 2, "value": 1234.5}, {"op": "set", "column": 4, "value": 0})
    shown = edits.display_of(session, found)
    assert shown[[2, 4]].tolist() == pytest.approx([1234.5, 0.0], abs=1e-3)
    assert np.allclose(np.delete(shown, [2, 4]), np.delete(session.display(0), [2, 4]), atol=1e-5)
    assert float(found.principal[0, 2]) == pytest.approx(2.345, abs=1e-5)


def test_without_inverse_transform_the_value_itself_is_set() -> None:
    assert float(edited(table_session(), {"op": "set", "column": 1, "value": 3.25}).principal[0, 1]) == 3.25


@pytest.mark.parametrize("undo", [lambda x: x**3, lambda x: x.exp(), lambda x: x.cumsum(0)], ids=["cube", "exp", "sum"])
def test_a_transform_that_is_no_straight_line_of_a_column_is_refused(undo: Any) -> None:
    with pytest.raises(ParameterError, match="no straight line there, or mixes columns"):
        edited(table_session(inverse_transform=undo), {"op": "set", "column": 1, "value": 3.25})


# What is refused


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"op": "explode"}, "no edit 'explode'"),
        ({"box": [0, 0, 1, 1]}, "no edit 'None'"),
        ("paint", "no edit"),
        ({"op": "paint", "box": [0, 0, 1]}, "the box"),
        ({"op": "paint", "box": [0, 0, 1, -1]}, "the box"),
        ({"op": "paint", "box": "0011"}, "the box"),
        ({"op": "paint", "box": [0, 0, 1, 1], "fill": "pink"}, "the fill 'pink'"),
        ({"op": "blur", "box": [0, 0, 1, 1], "sigma": float("nan")}, "the sigma"),
        ({"op": "replace", "at": 1.5, "token": "a"}, "the at '1.5'"),
        ({"op": "replace", "at": 1, "token": ""}, "the token"),
        ({"op": "set", "column": True, "value": 1}, "the column"),
        ({"op": "set", "column": 0, "value": "much"}, "the value 'much'"),
        ({"op": "mute", "channel": 0, "span": [1]}, "the span"),
    ],
)
def test_an_edit_that_cannot_be_read_is_a_sentence(edit: Any, said: str) -> None:
    with pytest.raises(ParameterError, match=said) as caught:
        edits.read([edit])
    assert caught.value.remedy


def test_too_many_edits_are_refused() -> None:
    with pytest.raises(ParameterError, match="21 edits"):
        edits.read([{"op": "delete", "at": 0}] * 21)


@pytest.mark.parametrize(
    ("session", "edit", "said"),
    [
        (image_session, {"op": "set", "column": 0, "value": 1}, "is for other data than image"),
        (image_session, {"op": "paint", "box": [0, 0, 13, 2]}, "outside the picture"),
        (image_session, {"op": "paint", "box": [3, 0, 3, 2]}, "empty or outside"),
        (image_session, {"op": "blur", "box": [0, 0, 3, 2], "sigma": 0}, "blur of 0 pixels"),
        (text_session, {"op": "replace", "at": 7, "token": "w1"}, "no place 7"),
        (text_session, {"op": "insert", "at": 8, "token": "w1"}, "no place 8"),
        (series_session, {"op": "mute", "channel": 2, "span": [0, 4]}, "no channel 2"),
        (series_session, {"op": "mute", "channel": None, "span": [60, 65]}, "outside the series"),
        (table_session, {"op": "set", "column": 5, "value": 1}, "no column 5"),
    ],
)
def test_an_edit_outside_the_instance_or_for_other_data_is_a_sentence(session: Any, edit: Any, said: str) -> None:
    with pytest.raises(ParameterError, match=said) as caught:
        edited(session(), edit)
    assert caught.value.remedy


def test_the_only_token_cannot_be_deleted() -> None:
    with pytest.raises(ParameterError, match="only one token"):
        edited(text_session(), {"op": "delete", "at": 0}, instance=3)


# Explained


def test_the_edited_instance_is_explained_for_the_class_of_the_unchanged_one() -> None:
    session = table_session()
    plain, _ = explained(session, "input_x_gradient", 0)
    edit = [{"op": "set", "column": column, "value": -5.0} for column in range(4)]
    value, arrays = explained(session, "input_x_gradient", 0, edit=edit)
    x = drawn(N, 5)[:1].clone()
    x[0, :4] = -5.0
    x.requires_grad_()
    score = table_net()(x)[0, plain["prediction"]]
    [gradient] = torch.autograd.grad(score, x)
    assert value["target"] == plain["target"]
    assert value["score"] == pytest.approx(float(score.detach()), abs=1e-5)
    assert value["prediction"] == int(table_net()(x).argmax())
    assert value["unedited"]["score"] == pytest.approx(plain["score"])
    assert value["unedited"]["prediction"] == plain["prediction"]
    assert np.allclose(arrays["attribution"], (x * gradient).detach()[0], atol=1e-6)
    assert np.allclose(arrays["display"], x.detach()[0])
    assert value["edit"] == edits.read(edit)
    assert torch.equal(session.batch([0]).principal[0], drawn(N, 5)[0])  # the data are as they were


def test_without_edits_nothing_is_said_of_an_unedited_instance() -> None:
    value, _ = explained(table_session(), "saliency", 0, edit=[])
    assert value["edit"] == []
    assert "unedited" not in value
