"""Words that go with a class: a planted deciding word, chance, rare words."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sequences.association import association


def test_a_word_that_decides_the_class_ranks_first_with_the_largest_z_there_is() -> None:
    generator = np.random.default_rng(0)
    n = np.array([200, 200])
    counts = generator.binomial(200, generator.uniform(0.01, 0.9, 500)[:, None] * [1.0, 1.0])
    counts = np.vstack([counts, [180, 40], [200, 0]])
    found = association(counts, n)
    assert found.z[:, 0].argmax() == len(counts) - 1
    assert found.z[-1, 0] == pytest.approx(20)  # the root of 400
    assert found.z[-2, 0] > np.abs(found.z[:-2]).max()
    assert found.leaning()[-1] == 0
    assert np.array_equal(found.z[:, 0], -found.z[:, 1])


def test_z_of_words_that_go_with_nothing_is_standard_normal() -> None:
    generator = np.random.default_rng(1)
    counts = np.stack([generator.binomial(300, 0.1, 4000), generator.binomial(700, 0.1, 4000)], 1)
    z = association(counts, np.array([300, 700])).z[:, 0]
    assert abs(z.mean()) < 0.06
    assert z.std() == pytest.approx(1, abs=0.05)


def test_a_rare_word_stays_near_none_and_an_absent_one_at_it() -> None:
    found = association(np.array([[1, 0], [0, 0], [50, 50]]), np.array([500, 500]))
    assert 0 < found.z[0, 0] < 1.1
    np.testing.assert_allclose(found.log_odds[1:], 0, atol=1e-9)
    np.testing.assert_allclose(found.z[1:], 0, atol=1e-9)
    assert found.leaning().tolist() == [-1, -1, -1]


def test_several_classes_and_classes_without_instances() -> None:
    found = association(np.array([[30, 2, 0], [10, 10, 0]]), np.array([40, 40, 0]))
    assert found.leaning().tolist() == [0, -1]
    assert np.isnan(found.z[:, 2]).all()
    assert np.isnan(association(np.array([[3]]), np.array([9])).z).all()
    assert association(np.zeros((0, 2)), np.array([3, 3])).z.shape == (0, 2)
