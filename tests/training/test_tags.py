from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.training import pairs
from analysis.training.tags import direction_of


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ("train/loss", "validation/loss"),
        ("train/loss", "val/loss"),
        ("train/loss", "eval/loss"),
        ("train/loss", "test/loss"),
        ("train_loss", "val_loss"),
        ("loss/train", "loss/val"),
        ("loss", "val_loss"),
        ("loss_train", "loss_test"),
        ("Train/Loss", "Valid/Loss"),
        ("metrics/train_loss", "metrics/val_loss"),
        ("training-loss", "dev-loss"),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_pairs(train, validation, swap):
    (group,) = pairs([validation, train] if swap else [train, validation])
    assert (group.train, group.validation, group.direction, group.others) == (train, validation, "lower", ())


def test_groups_keep_the_order_and_every_tag():
    groups = pairs(["train/loss", "lr", "val/loss", "test/loss", "train/top5_acc", "train"])
    assert [g.name for g in groups] == ["loss", "lr", "top5_acc", "train"]
    assert groups[0].others == ("test/loss",)
    assert (groups[1].train, groups[1].direction) == ("lr", "unknown")
    assert groups[2].direction == "higher"


@given(
    st.lists(st.text(st.sampled_from("abl/_.- trainvl"), max_size=12) | st.sampled_from(["loss", "val/loss", "train"]))
)
def test_every_tag_is_in_exactly_one_group(tags):
    groups = pairs(tags)
    seen = [t for g in groups for t in (g.train, g.validation, *g.others) if t is not None]
    assert sorted(seen) == sorted(set(tags))


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("loss", "lower"),
        ("cross_entropy_loss", "lower"),
        ("error_rate", "lower"),
        ("perplexity", "lower"),
        ("accuracy", "higher"),
        ("top1", "higher"),
        ("macro-F1", "higher"),
        ("r2", "higher"),
        ("loss_scale", "unknown"),
        ("accuracy_loss", "unknown"),
        ("glossary", "unknown"),
        ("", "unknown"),
    ],
)
def test_directions(name, direction):
    assert direction_of(name) == direction
