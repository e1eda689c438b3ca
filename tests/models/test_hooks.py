"""Hooks of others come and go; those that a model came with stay, in their order."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from analysis.models import hooks


def model() -> nn.Sequential:
    """With a hook of its own, and a handle to none."""
    made = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    made[0].register_forward_hook(lambda *_: None)
    return made


def put(module: nn.Module) -> None:
    """One of each kind."""
    module.register_forward_hook(lambda *_, **__: None, with_kwargs=True, always_call=True)
    module.register_forward_pre_hook(lambda *_, **__: None, with_kwargs=True)
    module.register_full_backward_hook(lambda *_: None)
    module.register_full_backward_pre_hook(lambda *_: None)


def test_hooks_of_every_kind_that_come_later_are_removed_also_after_an_error() -> None:
    made = model()
    own = hooks.hooks_of(made)

    def fail() -> None:
        with hooks.no_hooks_left(made):
            put(made)
            put(made[0])
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        fail()
    assert len(own) == 1
    assert hooks.hooks_of(made) == own
    assert all(
        not getattr(module, name)
        for module in made.modules()
        for name in ("_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs")
    )


def test_hooks_that_are_set_aside_come_back_in_their_order_and_can_still_be_removed() -> None:
    made, called = model(), list[int]()
    own = hooks.hooks_of(made)
    handles = [made[0].register_forward_hook(lambda *_, which=number: called.append(which)) for number in range(3)]
    with hooks.set_aside(made, own):
        made[0].register_forward_hook(lambda *_: called.append(9))
        assert len(hooks.hooks_of(made)) == 2
        made(torch.zeros(1, 2))
    assert called == [9]
    made(torch.zeros(1, 2))
    assert called == [9, 0, 1, 2]
    handles[1].remove()
    made(torch.zeros(1, 2))
    assert called[4:] == [0, 2]
