"""Answers ``neuron_drivers``: what drives the class, gradient x activation of each neuron for each instance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.attribution.layer_pass import LayerPass
from analysis.errors import NotFound, ParameterError
from analysis.extraction.reader import Extraction
from analysis.layerinfo import LayerInfo
from analysis.layers.passes import batches, readable
from analysis.models.hooks import no_hooks_left
from analysis.models.watching import hookable

OF = ("label", "predicted")


def neuron_drivers(
    session: Any, context: Any, *, layer: str, of: str = "label"
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """How much each neuron adds to the score of a class, to first order: the gradient of the score by its activation,
    times the activation, added up over (valid) positions.

    In a network that is linear from the layer on, without a bias, these add up to the score (Ancona et al., ICLR 2018,
    section 3); elsewhere they are the first term of a Taylor expansion about 0 (Molchanov et al., ICLR 2017). The
    activation is taken where the extraction reads it, before it is rectified: where a rectifier follows, both agree,
    since what it cuts off has no gradient. One pass forward and one back for each batch, in the extraction's batches.
    An operation in place behind the layer, and other calls of the same layer, change nothing.

    Args:
        layer: its key. of: whose score: 'label', the instance's own, or 'predicted', the one the model gives it. The
            score is the logit; of a probability its logarithm; of a single number that of the class against the other.

    Returns:
        {'layer', 'of', 'filters', 'n', 'unlabelled': instances without a score, 'unreached': instances for which the
        layer was not called, 'signed': True, 'scale': in words, 'notes': sentences}; 'values' (N, F) float32 in the
        order of the extraction's rows, NaN where there is none, and 'index' (N,) int64.

    Raises:
        ParameterError: unknown ``of``, or the score does not depend on the layer. NotFound: no such layer, it is never
        reached, yields whole numbers, or no instance has a label.
    """
    if of not in OF:
        raise ParameterError(f"There is no score of {str(of)[:40]!r}.", f"Choose one of: {', '.join(OF)}.")
    info, extraction = readable(session, layer), session.extraction()
    classes = np.asarray(extraction.labels if of == "label" else extraction.predictions)
    if not (classes >= 0).any():
        raise NotFound("No instance of the sample has a label.", "Choose the predicted class instead.")
    values = np.full((extraction.done, info.filters), np.nan, np.float32)
    unreached, notes = _filled(session, context, extraction, info, classes, values)
    if unreached == extraction.done:
        raise NotFound(f"No instance of the sample reaches {layer}.", "Choose another layer.")
    value = {
        "layer": layer,
        "of": of,
        "filters": int(info.filters),
        "n": int(extraction.done),
        "unlabelled": int((classes < 0).sum()),
        "unreached": unreached,
        "signed": True,
        "scale": "gradient x activation, in units of the score" + (", summed over positions" if info.spatial else ""),
        "notes": notes,
    }
    return value, {"values": values, "index": np.asarray(extraction.indices)}


def _filled(
    session: Any,
    context: Any,
    extraction: Extraction,
    info: LayerInfo,
    classes: NDArray[np.int64],
    values: NDArray[np.float32],
) -> tuple[int, list[str]]:
    """Fill in what can be; how many instances did not reach the layer, and sentences."""
    unreached, notes = 0, dict[str, None]()
    for batch, rows in batches(session, extraction, context, "Following gradients"):
        with _opened(session):
            one = Pass(session, batch, classes[rows])
            with LayerPass(one, info) as running:  # type: ignore[arg-type]
                try:
                    point = running(batch.principal)
                except NotFound:
                    if one.logits is None or not _missed(extraction, info, rows):
                        raise
                    unreached += len(rows)
                    continue
                drive = point.masked(running.gradient(point) * point.values.detach())
                notes |= dict.fromkeys(running.notes)
            found = drive if drive.dim() == 2 else drive.flatten(2).sum(2)
            part = found.detach().to("cpu", torch.float32).numpy()
        if part.shape != (len(rows), info.filters):
            unreached += len(rows)
            continue
        part = np.where(classes[rows][:, None] >= 0, part, np.nan)
        values[rows] = part
    return unreached, list(notes)


def _missed(extraction: Extraction, info: LayerInfo, rows: NDArray[np.int64]) -> bool:
    """Whether the extraction did not reach the layer for these instances either."""
    known = {each.key for each in extraction.layers}
    return info.key not in known or bool(np.isnan(extraction.mean(info.key)[rows]).any())


@contextmanager
def _opened(session: Any) -> Iterator[None]:
    """As for an attribution: nothing fused, since that has no gradients; nor has cuDNN's recurrent layer in evaluation
    mode."""
    recurrent = session.device.type == "cuda" and any(isinstance(each, nn.RNNBase) for each in session.model.modules())
    plain = torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()
    with session.quiet(), hookable(), plain, no_hooks_left(session.model), torch.enable_grad():
        yield


class Pass:
    """A batch as ``LayerPass`` takes a case: passes of it as it is, with the scores of given classes.

    Unlike ``analysis.attribution.case.Case`` it asks for no real-valued input: gradients end at the layer.
    """

    unit = None

    def __init__(self, session: Any, batch: Any, classes: NDArray[np.int64]) -> None:
        self.session, self.batch = session, batch
        self.inputs: Tensor = batch.principal
        self.places = tuple(session.axes)
        self.lengths = None if batch.lengths is None else batch.lengths.to("cpu", torch.int64)
        self.logits: Tensor | None = None
        self._known = torch.from_numpy(classes >= 0)
        self._classes = torch.from_numpy(np.maximum(classes, 0))

    def score(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """(n,): of instances without a class 0. x, rows: of the whole batch, as it is."""
        del x, rows
        fresh = self.batch.with_principal(self.batch.principal.clone())  # models may write into what they get
        scores = self.session.opened.scores
        logits: Tensor = scores.logits(self.session.run(fresh), len(fresh), graph=True)
        self.logits = logits.detach()
        chosen = self._classes.to(logits.device)[:, None]
        found = logits.gather(1, chosen)[:, 0]
        if scores.form == "binary":
            found = found - logits.gather(1, 1 - chosen)[:, 0]
        return torch.where(self._known.to(logits.device), found, torch.zeros_like(found))
