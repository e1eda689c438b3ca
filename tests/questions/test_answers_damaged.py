"""A damaged answer in the cache is computed again, not an obstacle for good."""

import numpy as np
import pytest

from analysis.results import Answers, key_of


@pytest.mark.parametrize("name", ["answer.json", "arrays.safetensors"])
@pytest.mark.parametrize("left", [None, b"", b"{"])
def test_a_damaged_answer_is_replaced(tmp_path, name, left):
    answers, key = Answers(tmp_path), key_of(a=1)
    path = answers.put(key, {"x": 1}, {"y": np.zeros(3)}).path / name
    if left is None:
        path.unlink()
    else:
        path.write_bytes(left)
    assert answers.get(key) is None
    again = answers.put(key, {"x": 1}, {"y": np.ones(3)})
    assert again.json == {"x": 1}
    assert again.array("y").sum() == 3
    assert answers.get(key) is not None
    assert [path.name for path in tmp_path.iterdir()] == [key]
