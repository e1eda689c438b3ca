"""``Session``: a subject in a worker, ready to compute. Needs torch."""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.data import seeds
from analysis.data.batch import Batch
from analysis.data.errors import SubjectError
from analysis.data.metadata import read_metadata
from analysis.data.tokens import decoder_of, numbered
from analysis.errors import CutawayError, NotFound
from analysis.layerinfo import LayerInfo
from analysis.models import checkpoints
from analysis.recording.isolation import undisturbed
from analysis.recording.unwrap import eager, is_compiled
from analysis.subject import opening
from analysis.subject.description import describe
from analysis.subject.device import choose_device
from analysis.subject.identity import code_hash
from analysis.subject.labelbook import LabelBook
from analysis.subject.subject import Subject
from analysis.subject.weights import Weights

SEED = 0  # of every pass
RECENT = 64 << 20  # bytes of inputs that are kept: instances are usually shown after they went through the model
Progress = Callable[..., None]


class Session:
    """A subject, opened: its model in evaluation mode on a device, its data by index.

    Passes leave no trace: modes, weights, buffers and random states are as before, and random numbers within a pass
    are the same every time. ``close`` (or ``with``) puts modes, weights and device back as they were given.

    Args:
        subject: model and data. device: 'auto', 'cpu', 'cuda', 'mps'. trusted: pickles that may be executed, as named
            on the server's command line. source: SHA-256 of the subject file, '' where there is none. progress: told
            of each step of opening: done, total, unit, message.

    Attributes:
        model: not wrapped. notices: what the user should know, in sentences. kind: 'image', 'text', 'series' or
        'table'. n: instances. layers: all layers, in the order of their calls. axes: of the tensor ``input_tensor``,
        along which positions lie. cache, sample, extraction, ask: set by whoever runs questions; so is partial, called
        with what an answer holds so far (plain dict, arrays).

    Raises:
        SubjectError: something about the subject cannot be told, or its parts do not fit; and as ``choose_device``.
    """

    sample: dict[str, Any]
    extraction: Callable[..., Any]
    ask: Callable[..., Any]
    partial: Callable[..., None]

    def __init__(
        self,
        subject: Subject,
        *,
        device: str = "auto",
        trusted: Collection[Path] = (),
        source: str = "",
        progress: Progress | None = None,
    ) -> None:
        self.subject, self.trusted, self.source = subject, tuple(trusted), source
        self.model: nn.Module = subject.model
        self.n, self.batch_size = subject.source.n, subject.batch_size
        self.cache: Path | None = None
        self.partial = lambda *_answer: None
        self._modes = [(module, module.training) for module in self.model.modules()]
        self._home = next((p.device for p in self.model.parameters()), torch.device("cpu"))
        self._weights = Weights(self.model, trusted)
        self.device, self.notices = choose_device(device)
        self.notices += [*subject.source.notes, *subject.notes, *subject.weight_notes]
        if is_compiled(self.model):
            self.notices.append("The model is compiled; here it runs uncompiled, so that its layers can be read.")
        self.metadata = read_metadata(subject.metadata, self.n)
        self.code = code_hash(subject, source, self.metadata)  # first of all: files may be edited from now on
        self._told: Progress = progress or (lambda *_told: None)
        self._told(0, 0, "", "Hashing the weights")
        self.weights = checkpoints.weights_hash(self.model)
        self.instances = opening.instances_of(subject, self.model)
        self.floating = opening.floating_of(self.model)
        self._described: tuple[dict[str, Any], dict[str, NDArray[Any]]] | None = None
        self._recent: OrderedDict[int, tuple[Tensor, dict[str, str]]] = OrderedDict()
        self._decoder = decoder_of(subject.decode)
        try:
            self.model.eval()
            self.opened = self._open()
            self._weights.remember()  # where another device has them
        except BaseException:
            self.close()
            raise
        self.kind = self.opened.kind.name
        self.class_names = self.opened.names
        self.layers = self.opened.layers
        self.axes = list(self.opened.kind.places)
        self.labelbook = LabelBook(self.instances, len(self.class_names))

    def _open(self) -> opening.Opened:
        if self.n == 0:
            return opening.nothing(self.subject)
        sample = self.instances.learn(progress=self._told)
        if not len(sample):
            raise SubjectError("No instance can be put into a batch.", "Check what dataset[0] yields.")
        device = self.device
        try:
            self.model.to(device)
            return opening.understand(self.subject, self.model, self.instances, sample, self.call, self._told)
        except (CutawayError, RuntimeError, NotImplementedError) as error:
            if device.type == "cpu":
                raise
            self.device = torch.device("cpu")
            self.model.to(self.device)
            opened = opening.understand(self.subject, self.model, self.instances, sample, self.call, self._told)
            reason = (str(error.__cause__ or error).splitlines() or [""])[0][:200]
            self.notices.append(f"The model does not run on {device} ({reason}); it computes on the CPU.")
            return opened

    @property
    def outdated(self) -> bool:
        """Whether the model's weights were changed by somebody else since they were described or put in."""
        return self._weights.changed

    @property
    def own_weights(self) -> dict[str, Tensor]:
        """The weights the subject came with, by name, also while those of a checkpoint are in the model."""
        return self._weights.own

    def close(self) -> None:
        """Put weights, modes and device of the model back as they were given."""
        self.use(None)
        self.model.to(self._home)
        for module, training in self._modes:
            module.training = training

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def use(self, checkpoint: Mapping[str, Any] | None) -> nn.Module:
        """Put weights into the model: those of a checkpoint ``{"name", "path", "sha256"}``, or its own again.

        Raises:
            CheckpointError: the checksum differs, the file cannot be read, or its weights do not fit.
        """
        self._weights.use(checkpoint)
        return self.model

    def batch(self, indices: Iterable[int]) -> Batch:
        """Instances on the model's device; those that cannot be read are left out and listed in ``skipped``.

        Raises:
            NotFound: an index the data set does not have.
        """
        wanted = [int(index) for index in indices]
        wrong = [index for index in wanted if not 0 <= index < self.n]
        if wrong:
            raise NotFound(f"There is no instance {wrong[0]:,}.", f"The data set has {self.n:,}, counted from 0.")
        made = self.instances.batch(wanted)
        for row, index in enumerate(made.indices.tolist()):
            texts = made.texts[row] if row < len(made.texts) else {}
            self._remember(index, opening.without_padding(made, self.opened.kind, row).clone(), texts)
        self.labelbook.note(made)
        return opening.on_device(made, self.device, self.floating)

    def labels(self, indices: Iterable[int] | None = None, progress: Progress | None = None) -> NDArray[np.int64]:
        """Class numbers of all or of some instances, int64 (n,); -1 where missing, or where an item cannot be read.

        Raises:
            SubjectError: a label beyond the model's outputs, or a text that is no class name.
        """
        return self.labelbook.of(indices, progress)

    def _remember(self, index: int, value: Tensor, texts: dict[str, str]) -> None:
        self._recent[index] = value, texts
        self._recent.move_to_end(index)
        size = value.numel() * value.element_size()
        while len(self._recent) > max(1, RECENT // max(size, 1)):
            self._recent.popitem(last=False)

    def _input_of(self, index: int) -> tuple[Tensor, dict[str, str]]:
        if index not in self._recent:
            made = self.batch([index])
            if not len(made):
                raise SubjectError(f"Instance {index:,} cannot be read: {made.skipped[0][1]}.", "Choose another.")
        return self._recent[index]

    def display(self, index: int) -> NDArray[Any]:
        """An instance as it is shown: image uint8 (H, W, 1 or 3), series float32 (channels, steps), table float32
        (columns,), without padding; empty for texts (see ``tokens``) and where it cannot be shown.

        Raises:
            SubjectError: it cannot be read, or inverse_transform fails. NotFound: no such instance.
        """
        displays = self.opened.displays
        value, _ = self._input_of(int(index))
        if displays is None or displays.possible:
            return np.zeros((0, 0, 1) if self.kind == "image" else 0, np.uint8 if self.kind == "image" else np.float32)
        return displays.show(value)

    def tokens(self, index: int) -> list[str]:
        """The tokens of a text, without padding. Raises as ``display``, and SubjectError for other kinds."""
        if self.kind != "text":
            raise SubjectError(f"Instances are of kind {self.kind!r} and have no tokens.", "See display().")
        ids = [int(value) for value in self._input_of(int(index))[0].tolist()]
        return self._decoder(ids) if self._decoder else numbered(ids)

    def text(self, index: int) -> str:
        """The text that an item carries beside its ids, '' if there is none or there are several."""
        texts = list(self._input_of(int(index))[1].values())
        return texts[0] if len(texts) == 1 else ""

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Within, passes leave no trace: evaluation mode, no gradients unless enabled, fixed random numbers."""
        ours = not self.outdated
        with undisturbed(self.model), eager():
            seeds.seed(SEED)
            torch.manual_seed(SEED)  # of all devices
            yield
        if ours:
            self._weights.remember()

    def call(self, batch: Batch) -> Any:
        """What the model yields for a batch, as it is; without gradients, without a trace."""
        with self.quiet():
            return self.run(batch)

    def run(self, batch: Batch) -> Any:
        """What the model yields for a batch, for callers inside ``quiet``: with gradients where they are enabled."""
        batch = opening.on_device(batch, self.device, self.floating)
        if self.subject.forward_func is not None:
            inputs = batch.kwargs or (batch.args[0] if len(batch.args) == 1 else batch.args)
            return self.subject.forward_func(self.model, inputs)
        return self.model(*batch.args, **batch.kwargs)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (n, C), float32, on the model's device; the same for the same batch at every call."""
        if not len(batch):
            return torch.zeros(0, len(self.class_names), device=self.device)
        return self.opened.scores.logits(self.call(batch), len(batch))

    def input_tensor(self, batch: Batch) -> Tensor:
        """The real-valued input that receptive fields refer to, (n, ...), with positions along ``axes``: pictures,
        series and rows as they go in; texts as vectors behind the embedding.

        Raises:
            SubjectError: a text whose embedding is not known.
        """
        if self.kind != "text":
            return batch.principal.to(self.floating or torch.float32)
        seen: list[Tensor] = []
        handle = self._embedding().register_forward_hook(lambda _m, _i, output: seen.append(output.detach().clone()))
        try:
            self.call(batch)
        finally:
            handle.remove()
        if not seen:
            raise SubjectError("The embedding is not called.", "Give embedding_layer=.")
        return seen[0]

    def forward_from(self, tensor: Tensor, batch: Batch) -> Any:
        """What the model yields for a batch with ``tensor`` in the place of ``input_tensor(batch)``."""
        with self.quiet():
            return self.run_from(tensor, batch)

    def run_from(self, tensor: Tensor, batch: Batch) -> Any:
        """The same for callers inside ``quiet``: with gradients where they are enabled."""
        if self.kind != "text":
            return self.run(batch.with_principal(tensor))
        handle = self._embedding().register_forward_hook(lambda _module, _inputs, _output: tensor)
        try:
            return self.run(batch)
        finally:
            handle.remove()

    def logits_from(self, tensor: Tensor, batch: Batch) -> Tensor:
        """Logits (n, C) of ``run_from``, with what gradients need."""
        return self.opened.scores.logits(self.run_from(tensor, batch), len(batch), graph=True)

    def _embedding(self) -> nn.Module:
        if not self.opened.embedding:
            raise SubjectError(
                "Which layer turns ids into vectors is not known.", "Give embedding_layer=, the layer or its name."
            )
        return dict(self.model.named_modules())[self.opened.embedding]

    def infos(self, keys: Iterable[str]) -> list[LayerInfo]:
        """Layers by key. Raises NotFound, naming close matches."""
        known = {info.key: info for info in self.layers}
        found = []
        for key in keys:
            if key not in known:
                near = difflib.get_close_matches(str(key), list(known), n=3, cutoff=0.3)
                raise NotFound(
                    f"The model has no layer {str(key)[:200]!r}.", f"Similar names: {', '.join(near)}." if near else ""
                )
            found.append(known[key])
        return found

    def describe(self, progress: Progress | None = None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What was understood of the subject, as plain values, and the example instances; see ``description``."""
        if self._described is None:
            self._described = describe(self, progress)
        return self._described

    def description(self, progress: Progress | None = None) -> dict[str, Any]:
        """The plain part of ``describe``."""
        return self.describe(progress)[0]
