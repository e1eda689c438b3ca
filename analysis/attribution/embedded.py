"""Texts behind their embedding: the vectors that are explained, because ids have no gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from analysis.attribution.faults import ModelError

TOLERANCE = 1e-3  # of an EmbeddingBag's output, put together again


@dataclass(frozen=True)
class Entry:
    """Where ids become vectors. name: of the layer. layer: itself. bag: whether it sums ids up at once."""

    name: str
    layer: nn.Module
    bag: bool = False

    @property
    def note(self) -> str:
        """What is done because of it, as a sentence."""
        if self.bag:
            return (
                f"Explained at the vectors that {self.name!r} sums up, one for each id, because ids have no gradient; "
                "the model does not see their order."
            )
        return f"Explained at the embedding layer {self.name!r}, because ids have no gradient."

    def vectors(self, ids: Tensor) -> Tensor:
        """Vectors (..., D) of ids (...)."""
        with torch.no_grad():
            if self.bag:
                assert isinstance(self.layer, nn.EmbeddingBag)
                return self.layer.weight[ids]
            found: Tensor = self.layer(ids)
        return found.detach()

    @contextmanager
    def yielding(self, output: Tensor) -> Iterator[None]:
        """Within, the layer yields this, and looks nothing up."""
        attributes = vars(self.layer)
        before = attributes.get("forward")
        attributes["forward"] = lambda *_args, **_kwargs: output
        try:
            yield
        finally:
            attributes.pop("forward")
            if before is not None:
                attributes["forward"] = before

    def output(self, vectors: Tensor, ids: Tensor) -> Tensor:
        """What the layer yields for vectors (r, T, D) in the place of its own; ids (r, T)."""
        if not self.bag:
            return vectors
        assert isinstance(self.layer, nn.EmbeddingBag)
        pad = self.layer.padding_idx
        seen = torch.ones_like(ids, dtype=torch.bool) if pad is None else ids != pad
        seen = seen[..., None]
        if self.layer.mode == "max":
            return vectors.masked_fill(~seen, -torch.inf).amax(1).masked_fill(~seen.any(1), 0.0)
        total = torch.where(seen, vectors, 0.0).sum(1)
        return total / seen.sum(1).clamp_min(1) if self.layer.mode == "mean" else total


@dataclass
class Watch:
    """Context that notes the calls of a subject's embedding in a pass. calls: ids and output of each."""

    session: Any

    def __enter__(self) -> Watch:
        self.calls: list[tuple[Any, Tensor]] = []
        self._layer = self.session._embedding()
        self._handle = self._layer.register_forward_hook(self._note, with_kwargs=True)
        return self

    def __exit__(self, *error: Any) -> None:
        self._handle.remove()

    def _note(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        ids = args[0] if args else kwargs.get("input")
        if len(args) + len(kwargs) == 1 and isinstance(ids, Tensor) and isinstance(output, Tensor):
            self.calls.append((ids.detach().clone(), output.detach().clone()))
        else:
            self.calls.append((None, output))

    def entry(self, ids: Tensor) -> tuple[Entry, Tensor]:
        """The layer, and the vectors (n, T, D) of ids (n, T).

        Raises:
            ModelError: what becomes of the ids cannot be told.
        """
        name = self.session.opened.embedding
        if not self.calls:
            raise ModelError(f"The embedding {name!r} is not called.", "Give embedding_layer=.")
        other = [given for given, _ in self.calls if given is None or not torch.equal(given, ids)]
        if other:
            with_what = "with arguments" if other[0] is None else f"with ids of shape {tuple(other[0].shape)}"
            raise ModelError(
                f"The embedding {name!r} is called {len(self.calls)} times in a pass, {len(other)} of them {with_what} "
                f"that are not those of the instance, {tuple(ids.shape)}: what a token adds cannot be told.",
                "Let it be called once with all ids, or name another layer with embedding_layer=.",
            )
        output = self.calls[0][1]
        entry = Entry(name, self._layer, bag=isinstance(self._layer, nn.EmbeddingBag))
        vectors = entry.vectors(ids) if entry.bag else output
        if entry.bag:
            again = entry.output(vectors.float(), ids)
            if again.shape != output.shape or not torch.allclose(again, output.float(), atol=TOLERANCE, rtol=TOLERANCE):
                raise ModelError(
                    f"{name!r} ({type(self._layer).__name__}) makes one vector of all ids in a way that cannot be "
                    "taken apart: nothing can be told of a single token.",
                    "Use an Embedding, and sum up its vectors in forward.",
                )
        elif output.dim() != 3 or output.shape[:2] != ids.shape:
            raise ModelError(
                f"The embedding {name!r} yields the shape {tuple(output.shape)} for ids of shape {tuple(ids.shape)}, "
                "not one vector for each id.",
                "Name the layer that turns ids into vectors with embedding_layer=.",
            )
        return entry, vectors
