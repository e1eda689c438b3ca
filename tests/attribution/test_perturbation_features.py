"""Features of an instance: every value that counts in exactly one, padding in none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import nn

from analysis.attribution import features, registry, superpixels
from analysis.attribution.parameters import checked
from analysis.errors import ParameterError
from analysis.jobs.context import Cancelled
from tests.attribution.conftest import SESSIONS, drawn, labelled, opened, series_session, text_session
from tests.attribution.games import case_of
from tests.models import zoo


class Tokenizer:
    """[CLS] is 1, [SEP] 2, unknown 3, padding 0."""

    all_special_ids = [0, 1, 2, 3]
    unk_token_id, pad_token_id = 3, 0

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [f"t{number}" for number in ids]


@pytest.mark.parametrize("kind", list(SESSIONS))
@pytest.mark.parametrize("feature_mask", ["superpixels", "grid"])
def test_every_value_that_is_no_padding_is_in_exactly_one_feature(kind: str, feature_mask: str) -> None:
    session = SESSIONS[kind]()
    case = case_of(session, 0, 1, 3)
    for row in range(3):
        found = features.groups(case, row, feature_mask=feature_mask)
        spread = found.groups.expand(case.inputs.shape[1:])
        valid = case.valid().expand_as(case.inputs)[row]
        assert torch.equal(spread >= 0, valid)
        assert set(spread[valid].tolist()) == set(range(found.count))
        assert len(found.names) == len(set(found.names)) == found.count


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    count=st.integers(1, 60),
    colours=st.sampled_from([1, 3]),
    seed=st.integers(0, 10),
    flat=st.booleans(),
)
def test_superpixels_cover_a_picture_with_no_more_regions_than_asked(
    height: int, width: int, count: int, colours: int, seed: int, flat: bool
) -> None:
    picture = np.random.default_rng(seed).random((height, width, colours), np.float32) * (0 if flat else 1)
    labels = superpixels.superpixels(picture, min(count, height * width))
    assert labels.shape == (height, width)
    assert labels.dtype == np.int64
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert labels.max() < count
    assert np.array_equal(labels, superpixels.superpixels(picture.copy(), min(count, height * width)))


def test_superpixels_follow_edges_and_are_connected() -> None:
    picture = np.zeros((30, 40, 3), np.float32)
    picture[7:19, 11:27] = [0.9, 0.2, 0.1]
    labels = superpixels.superpixels(picture, 20)
    inside = picture[..., 0] > 0
    for label in range(labels.max() + 1):
        assert len(np.unique(inside[labels == label])) == 1
        assert ndimage.label(labels == label)[1] == 1


def test_a_large_picture_is_cut_in_bounded_memory_and_to_its_full_size() -> None:
    picture = np.tile(np.linspace(0, 1, 700, dtype=np.float32)[:, None, None], (1, 500, 1))
    labels = superpixels.superpixels(picture, 49)
    assert labels.shape == (700, 500)
    assert 20 <= labels.max() + 1 <= 49


@pytest.mark.parametrize("size", [(1, 1), (3, 100), (28, 28), (7, 5)])
@pytest.mark.parametrize("count", [1, 4, 49])
def test_a_grid_has_about_as_many_cells_as_asked(size: tuple[int, int], count: int) -> None:
    labels = superpixels.grid(*size, count)
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert labels.max() + 1 <= max(2 * count, 1)


@pytest.mark.parametrize(("side", "expected"), [(8, 16), (10, 25), (28, 49), (64, 49)])
def test_small_pictures_get_fewer_regions(side: int, expected: int) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 2))
    session = opened(model, labelled(drawn(3, 1, side, side)), kind="image")
    assert features.groups(case_of(session), feature_mask="grid").count == expected
    assert features.groups(case_of(session), segments=6, feature_mask="grid").count == 6
    assert 1 < features.groups(case_of(session), segments=6).count <= 6


def test_pixels_in_one_row_are_cut_into_runs() -> None:
    session = opened(nn.Linear(50, 2), labelled(drawn(3, 50)), kind="image")
    found = features.groups(case_of(session))
    assert found.what == "runs of pixels"
    assert (found.groups.diff() >= 0).all()
    assert set(found.groups.tolist()) == set(range(found.count))


@settings(max_examples=25, deadline=None)
@given(segments=st.integers(0, 80), channels=st.sampled_from(["each", "all"]))
def test_spans_of_a_series_have_equal_lengths(segments: int, channels: str) -> None:
    case = case_of(SERIES)
    found = features.groups(case, segments=segments, channels=channels)
    sizes = found.sizes(case.inputs.shape[1:])
    assert int(sizes.sum()) == case.inputs[0].numel()
    assert int(sizes.max() - sizes.min()) <= (2 if channels == "all" else 1)
    first = found.groups.expand(2, 64)
    assert bool((first[0] == first[1]).all()) == (channels == "all")
    if segments:
        assert found.count == min(segments, 64) * (1 if channels == "all" else 2)


SERIES = series_session()


def test_spans_are_of_the_valid_steps_and_named_by_them() -> None:
    series = [drawn(steps, 3, seed=steps) for steps in (11, 4, 7)]
    case = case_of(opened(zoo.time_first(), labelled(series), kind="series"), 0, 1)
    found = features.groups(case, 1, segments=2, channels="all")
    assert found.groups.reshape(-1).tolist() == [0, 0, 1, 1] + [-1] * 7
    assert found.names == ("steps 0 to 1", "steps 2 to 3")
    each = features.groups(case, 1, segments=2)
    assert each.groups[:, 2].tolist() == [4, 4, 5, 5] + [-1] * 7
    assert each.names[-1] == "channel 2, steps 2 to 3"


def test_tokens_that_a_tokenizer_adds_are_no_features_but_unknown_words_are() -> None:
    texts = [torch.tensor([1, 7, 3, 9, 2]), torch.tensor([1, 8, 2]), torch.tensor([1, 2])]
    session = opened(zoo.lstm_text("LSTM", True), labelled(texts), decode=Tokenizer())
    case = case_of(session, 0, 1, 2)
    found = features.groups(case, 0)
    assert found.groups[:, 0].tolist() == [-1, 0, 1, 2, -1]
    assert found.names == ("token 1, 't7'", "token 2, 't3'", "token 3, 't9'")
    assert features.groups(case, 1).groups[:, 0].tolist() == [-1, 0, -1, -1, -1]
    assert features.groups(case, 2).count == 2  # nothing else is there: they count


def test_tokens_are_named_as_the_page_shows_them() -> None:
    session = text_session()
    assert features.groups(case_of(session, 1)).names == tuple(
        f"token {at}, {token!r}" for at, token in enumerate(session.tokens(1))
    )


def test_values_of_features_come_to_their_places() -> None:
    case = case_of(SERIES)
    found = features.groups(case, segments=4)
    values = torch.arange(8.0)
    laid = found.laid(values)
    assert laid.shape == (2, 64)
    assert torch.equal(laid, values.reshape(2, 4).repeat_interleave(16, 1))


def test_parameters_that_mean_nothing_for_a_kind_are_not_offered() -> None:
    from analysis.attribution.structure import Structure

    offered = {
        kind: {one.name for one in features.fitting(Structure(kind=kind), features.PARAMETERS)}
        for kind in ("image", "text", "series", "table")
    }
    assert offered == {
        "image": {"segments", "feature_mask"},
        "series": {"segments", "channels"},
        "text": set(),
        "table": set(),
    }


def test_a_picture_is_cut_into_bounded_numbers_of_parts_and_that_can_be_cancelled() -> None:
    picture = np.random.default_rng(3).random((60, 60, 1)).astype(np.float32)
    assert features.SEGMENTS.high == superpixels.MOST <= 1000
    with pytest.raises(ParameterError):
        checked((features.SEGMENTS,), {"segments": superpixels.MOST + 1})
    assert superpixels.superpixels(picture, 10**6).max() < superpixels.MOST
    calls: list[int] = []

    def cancelled() -> None:
        calls.append(1)
        if len(calls) > 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        superpixels.superpixels(picture[::-1], 500, cancelled)
    pictures = torch.from_numpy(picture[None, None, :, :, 0]) + torch.arange(3.0)[:, None, None, None]
    session = opened(nn.Sequential(nn.Flatten(), nn.Linear(3600, 2)), labelled(pictures))
    for method in ("feature_ablation", "lime"):
        calls.clear()
        with pytest.raises(Cancelled):
            registry.get(method).run(
                case_of(session, 1, 2),
                lambda *_told: cancelled(),
                **checked(registry.get(method).parameters, {"segments": 300}),
            )
        assert len(calls) == 3
