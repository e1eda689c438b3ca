"""Puts weights into a model, and its own back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from analysis.models import checkpoints

UNKNOWN = ""  # checksum of weights while they are put in: whoever is interrupted there loads them anew


class Weights:
    """The weights of a model. trusted: pickles that may be executed, as named on the server's command line.

    Its own are copied when others replace them for the first time.
    """

    def __init__(self, model: nn.Module, trusted: Collection[Path] = ()) -> None:
        self._model, self._trusted = model, tuple(trusted)
        self._own: dict[str, Tensor] = {}
        self._loaded: str | None = None  # checksum of what is in the model, None for its own
        self._seen = self._versions()

    @property
    def own(self) -> dict[str, Tensor]:
        """Its own weights by name, also while others are in the model."""
        if self._own:
            return dict(self._own)
        return {name: value for name, value in self._model.state_dict().items() if isinstance(value, Tensor)}

    @property
    def changed(self) -> bool:
        """Whether somebody else, such as a training that goes on, has changed the model's parameters."""
        return self._versions() != self._seen

    def remember(self) -> None:
        """Take the parameters as they are for unchanged: a model's own code may write to them in a pass."""
        self._seen = self._versions()

    def _versions(self) -> list[tuple[int, int]]:
        return [(id(parameter), parameter._version) for parameter in self._model.parameters()]

    def use(self, checkpoint: Mapping[str, Any] | None) -> None:
        """Load a checkpoint ``{"name", "path", "sha256"}``, or the model's own weights again.

        Raises:
            CheckpointError: the checksum differs, the file cannot be read, or its weights do not fit.
        """
        wanted = None if checkpoint is None else str(checkpoint["sha256"])
        if wanted == self._loaded:
            return
        if checkpoint is None:
            self._loaded = UNKNOWN
            with torch.no_grad():
                for name, value in self._model.state_dict(keep_vars=True).items():
                    if name in self._own:
                        value.copy_(self._own[name])
        else:
            state = checkpoints.load_checkpoint(Path(checkpoint["path"]), trusted=self._trusted, expected=wanted)
            if not self._own:
                tensors = {n: v for n, v in self._model.state_dict().items() if isinstance(v, Tensor)}
                self._own = {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}
            self._loaded = UNKNOWN
            checkpoints.apply(self._model, state)
        self._loaded, self._seen = wanted, self._versions()
