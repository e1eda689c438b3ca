"""What the benchmark of attribution methods times: its networks, and for each task the floor, the peer and the goal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis import Subject
from analysis.attribution.case import Case
from analysis.subject.session import Session

ROWS, TOKENS, WORDS = 64, 40, 500
Call = Callable[[], Any]


@dataclass(frozen=True)
class Task:
    """method: name. n: instances. times: passes of each that it cannot do without; 0 for Grad-CAM's. backward: also
    backward. peer: Captum's, for a case. goal: of the ratio. given: what differs from the method's defaults. text: on
    the LSTM. rounds: as a share of all."""

    method: str
    n: int
    times: int
    backward: bool
    peer: Callable[[Case], Call]
    goal: float | None = None
    given: tuple[tuple[str, Any], ...] = ()
    text: bool = False
    rounds: float = 1.0


class Reader(nn.Module):
    """Embedding, LSTM, the last state. (N, T) ids -> (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 50)
        self.rnn, self.head = nn.LSTM(50, 64, batch_first=True), nn.Linear(64, 2)

    def forward(self, ids: Tensor) -> Tensor:
        _, (state, _) = self.rnn(self.embedding(ids))
        scores: Tensor = self.head(state[-1])
        return scores


def pictures() -> Session:
    """The LeNet, untrained, which takes as long as a trained one."""
    from analysis.demos.digits import NETWORKS, lenet

    torch.manual_seed(0)
    data = list(zip(torch.rand(32, 1, 28, 28), range(32), strict=True))
    return Session(Subject(lenet(**NETWORKS["digits-lenet"][1]), [(x, y % 10) for x, y in data]), device="cpu")


def texts() -> Session:
    """The LSTM."""
    torch.manual_seed(0)
    ids = torch.randint(1, WORDS, (32, TOKENS))
    return Session(Subject(Reader().eval(), [(row, at % 2) for at, row in enumerate(ids)]), device="cpu")


def model_of(case: Case) -> Callable[[Tensor], Tensor]:
    """From inputs to logits, by plain torch."""
    model = case.session.model
    if case.kind != "text":
        return model  # type: ignore[no-any-return]
    return lambda x: model.head(model.rnn(x)[1][0][-1])  # type: ignore[no-any-return]


def floor(task: Task, case: Case, run: Call) -> Call:
    """The passes that a task cannot do without, on rows that ``run``, the method, puts through the model.

    The same row over and over would not do: pooling and rectifiers are quicker where the same branches are taken.
    """
    return tail(case) if not task.times else passes(case, task.times, task.backward, run)


def passes(case: Case, times: int, backward: bool, run: Call) -> Call:
    """So many passes of each instance, of rows as in ``floor``; of the instances where ``run`` needs fewer."""
    model = model_of(case)
    seen = recorded(case, run)
    own = (case.inputs.repeat(times, *[1] * (case.inputs.dim() - 1)), case.rows.repeat(times))
    rows, of = (torch.cat([part[0] for part in [*seen, own]]), torch.cat([part[1] for part in [*seen, own]]))
    rows, of = rows[: times * len(case)], of[: times * len(case)]
    classes = torch.tensor([one[0] for one in case.classes])[of][:, None]

    def call() -> None:
        for x, chosen in zip(rows.split(ROWS), classes.split(ROWS), strict=True):
            if backward:
                x = x.clone().requires_grad_()
                torch.autograd.grad(model(x).gather(1, chosen).sum(), x)
            else:
                with torch.no_grad():
                    model(x)

    return call


def recorded(case: Case, run: Call) -> list[tuple[Tensor, Tensor]]:
    """Inputs (r, ...), and which instance each is of (r,), for which a call asks scores."""
    seen: list[tuple[Tensor, Tensor]] = []
    score = case.score

    def noted(x: Tensor, rows: Tensor | None = None) -> Tensor:
        seen.append((x.detach().clone(), case.rows if rows is None else rows))
        return score(x, rows)

    case.score = noted  # type: ignore[method-assign]
    try:
        run()
    finally:
        del case.score
    return seen


def tail(case: Case) -> Call:
    """Forward, and backward as far as the LeNet's second convolution."""
    parts = list(case.session.model)
    below, above = nn.Sequential(*parts[:4]), nn.Sequential(*parts[4:])
    classes = torch.tensor([one[0] for one in case.classes])[:, None]

    def call() -> None:
        with torch.no_grad():
            maps = below(case.inputs)
        maps.requires_grad_()
        torch.autograd.grad(above(maps).gather(1, classes).sum(), maps)

    return call


def captum(name: str, case: Case, **given: Any) -> Call:
    """A method of Captum on the plain model, for the same classes. given: arguments of ``attribute``."""
    import captum.attr

    model = case.session.model
    targets = torch.tensor([one[0] for one in case.classes])
    if case.kind == "text":
        whole = model_of(case)
        method = getattr(captum.attr, name)(lambda x: whole(x))
    elif name == "LayerGradCam":
        method = captum.attr.LayerGradCam(model, model.conv2)
    else:
        method = getattr(captum.attr, name)(model)

    def call() -> None:
        if name == "LRP":  # its rules must be set again before each call
            _lrp_rules(model)
        x = case.inputs.clone().requires_grad_(name not in ("Occlusion", "FeatureAblation", "KernelShap", "Lime"))
        method.attribute(x, target=targets, **given)

    return call


def _lrp_rules(model: nn.Module) -> None:
    from captum.attr._utils.lrp_rules import EpsilonRule

    for module in model.children():
        module.rule = EpsilonRule()


def squares() -> Tensor:
    """The feature of each pixel, (1, 1, 28, 28): 49 squares."""
    at = torch.arange(28) // 4
    return (at[:, None] * 7 + at)[None, None].expand(1, 1, 28, 28)


def masked(name: str, case: Case, **given: Any) -> Call:
    """A method of Captum on 49 squares."""
    return captum(name, case, feature_mask=squares(), **given)


def by_token(case: Case) -> Call:
    """Captum's ablation of each token's vector."""
    mask = torch.arange(TOKENS)[None, :, None].expand(1, TOKENS, case.inputs.shape[2])
    return captum("FeatureAblation", case, feature_mask=mask)


F, B = False, True
_GRID = (("segments", 49), ("feature_mask", "grid"))
_FIXED = (("tolerance", 0),)  # as many steps as Captum, whatever is missing
_WINDOW = {"sliding_window_shapes": (1, 4, 4), "strides": (1, 2, 2)}


def _captum(name: str, **given: Any) -> Callable[[Case], Call]:
    return partial(captum, name, **given)


TASKS: dict[str, Task] = {
    "Saliency, 1": Task("saliency", 1, 1, B, _captum("Saliency")),
    "Saliency, 32": Task("saliency", 32, 1, B, _captum("Saliency"), 1.1),
    "Integrated Gradients, 1": Task("integrated_gradients", 1, 50, B, _captum("IntegratedGradients"), 1.08, _FIXED),
    "Integrated Gradients, 32": Task(
        "integrated_gradients", 32, 50, B, _captum("IntegratedGradients"), 1.08, _FIXED, rounds=0.4
    ),
    "Integrated Gradients, 32 texts": Task(
        "integrated_gradients", 32, 50, B, _captum("IntegratedGradients"), 1.08, _FIXED, text=True, rounds=0.4
    ),
    "DeepLift, 32": Task("deep_lift", 32, 1, B, _captum("DeepLift"), 1.4),
    "LRP, 32": Task("lrp", 32, 1, B, _captum("LRP"), 2.0),
    "Grad-CAM, 1": Task("layer_grad_cam", 1, 0, B, _captum("LayerGradCam"), 1.3),
    "Grad-CAM, 32": Task("layer_grad_cam", 32, 0, B, _captum("LayerGradCam"), 1.3),
    "Occlusion, 169 windows": Task(
        "occlusion",
        1,
        169,
        F,
        _captum("Occlusion", **_WINDOW),
        1.12,
        (("sliding_window_shapes", 4), ("strides", 2)),
    ),
    "Feature ablation, 49 parts": Task("feature_ablation", 1, 49, F, partial(masked, "FeatureAblation"), 1.12, _GRID),
    "KernelSHAP, 200 samples": Task("kernel_shap", 1, 200, F, partial(masked, "KernelShap", n_samples=200), 1.2, _GRID),
    "LIME, 200 samples": Task("lime", 1, 200, F, partial(masked, "Lime", n_samples=200), 1.2, _GRID),
    "Token ablation, 32 texts of 40": Task("feature_ablation", 32, TOKENS, F, by_token, 0.6, text=True, rounds=0.4),
}
