"""Features of instances have the values that their names promise."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.subsets import features

GREY = np.zeros((30, 30, 1), np.uint8)


def test_brightness_and_its_places() -> None:
    picture = GREY.copy()
    picture[:10, 20:] = 255
    found = features.of_picture(picture)
    assert found["brightness"] == pytest.approx(1 / 9)
    assert found["brightness_top_right"] == 1
    assert found["white"] == pytest.approx(1 / 9)
    assert found["black"] == pytest.approx(8 / 9)
    others = [name for name in found if name.startswith("brightness_") and name != "brightness_top_right"]
    assert len(others) == 8
    assert all(found[name] == 0 for name in others)
    assert set(found) <= {feature.name for feature in features.PICTURE}


def test_stripes_have_edges_and_blur_has_none() -> None:
    stripes = np.tile(np.array([0, 0, 255, 255], np.uint8), (32, 8))[..., None]
    slope = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (32, 1))[..., None]
    sharp, soft = features.of_picture(stripes), features.of_picture(slope)
    assert sharp["edge_density"] > 0.9
    assert soft["edge_density"] == 0
    assert sharp["sharpness"] > 10 * soft["sharpness"]
    assert features.of_picture(GREY)["contrast"] == 0


def test_colours_are_told_from_grey() -> None:
    grey = np.full((12, 12, 3), 100, np.uint8)
    red = grey.copy()
    red[..., 0] = 255
    assert features.of_picture(grey)["saturation"] == 0
    assert features.of_picture(grey)["colourfulness"] == 0
    assert features.of_picture(red)["saturation"] == pytest.approx(155 / 255)
    assert features.of_picture(red)["red"] == 1
    assert features.of_picture(red)["colourfulness"] > 0.1
    assert "red" not in features.of_picture(GREY)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 3), (1, 40, 1), (3, 3, 3)])
def test_small_pictures_have_what_they_can_have(shape: tuple[int, ...]) -> None:
    found = features.of_picture(np.full(shape, 7, np.uint8))
    assert found["width"] == shape[1]
    assert all(np.isfinite(value) for value in found.values())


def test_no_picture_has_no_features() -> None:
    assert features.of_picture(np.zeros((0, 0, 1), np.uint8)) == {}


def test_texts_are_counted() -> None:
    found = features.of_text(["Good", "Film", "<unk>", "Good"], "GOOD film, 10!")
    assert found["tokens"] == 4
    assert found["characters"] == 14
    assert found["capitals"] == pytest.approx(4 / 8)
    assert found["digits"] == pytest.approx(2 / 14)
    assert found["punctuation"] == pytest.approx(2 / 14)
    assert found["distinct"] == 0.75
    assert found["unknown"] == 0.25
    empty = features.of_text([], "")
    assert empty["tokens"] == 0
    assert np.isnan(empty["capitals"])


def test_texts_are_put_together_from_tokens() -> None:
    assert features.text_of(["un", "##believ", "##able", "film"]) == "unbelievable film"
    assert features.text_of(["A", "Ġgood", "Ġfil", "m"]) == "A good film"
    assert features.text_of(["▁A", "▁good", "s"]) == "A goods"
    assert features.text_of(["a", "film"]) == "a film"


def test_a_wave_has_its_frequency_and_a_ramp_its_trend() -> None:
    rate, time = 50.0, np.arange(200) / 50.0
    values = np.stack([3 + 2 * np.sin(2 * np.pi * 5 * time), 0.5 * time - 7])
    found = features.of_series(values, ["a", "b"], rate)
    assert found["a_frequency"] == pytest.approx(5, abs=0.26)
    assert found["a_mean"] == pytest.approx(3, abs=0.01)
    assert found["a_spread"] == pytest.approx(np.sqrt(2), rel=0.01)
    assert found["b_trend"] == pytest.approx(0.5)
    assert found["b_peak"] == 7
    assert found["steps"] == 200
    bare = features.of_series(values, ["a", "b"], None)
    assert bare["b_trend"] == pytest.approx(0.01)
    assert bare["a_frequency"] == pytest.approx(0.1, abs=0.006)
    named = {feature.name for feature in features.series_features(["a", "b"], ["A", "B"], rate)}
    assert set(found) == named


def test_series_that_are_constant_short_or_broken() -> None:
    assert "a_frequency" not in features.of_series(np.full((1, 50), 1e6), ["a"], None)
    assert features.of_series(np.array([[1.0]]), ["a"], None)["a_mean"] == 1
    found = features.of_series(np.array([[1.0, np.nan, 3.0, np.inf]]), ["a"], None)
    assert found["a_mean"] == 2
    assert features.of_series(np.zeros((2, 0)), ["a", "b"], None) == {}
    assert features.of_series(np.zeros(5), ["a"], None) == {}


def test_titles_become_names() -> None:
    assert features.slug("Acc. x (g)", "channel") == "acc_x_g"
    assert features.slug("3rd", "channel") == "channel_3rd"
    assert features.slug("***", "channel") == "channel"
