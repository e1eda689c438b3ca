"""What could make every explanation of a model wrong, tried with numbers on one instance before anything is explained.

Ids that reach the score past the embedding, scores that depend on the rest of the batch, and gradients that are not
the score's because a part of its way is cut off. Each answers with a reason, '' where nothing is wrong.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from analysis.attribution.case import Case
from analysis.attribution.faults import in_words
from analysis.attribution.operations import Operation
from analysis.attribution.structure import Structure
from analysis.errors import CutawayError

SAME = 1e-3  # difference of scores, as a share of the largest, up to which they count as the same
ROUGH = 5e-2  # the same in half precision
SEED = 0  # of ids, noise and directions
DRAWN = 32  # instances whose ids stand in for each other
NEAR = 0.01  # of the input's spread: how far off the instance slopes are compared, as it may lie on a kink itself
STEPS = (3e-2, 1e-2, 3e-3)  # of the input's spread
DIRECTIONS = 3
AGREE, DIFFER = 0.1, 0.3  # share of the larger slope, up to which two agree, and from which on they disagree
ASIDE = (
    "detach",
    ".data",
    "item()",
    "tolist()",
    "numpy()",
    "float()",
    "int()",
)  # whose purpose is to take data out of a graph
SLOPES = (  # methods that are wrong where the gradient is
    *("saliency", "input_x_gradient", "integrated_gradients", "smoothgrad", "gradient_shap", "guided_backprop"),
    *("deconvolution", "guided_grad_cam", "layer_grad_cam", "layer_conductance", "neuron_conductance"),
    "neuron_gradient",
)


def for_all(case: Case, found: Structure) -> str:
    """Why no method can explain an instance: its ids have a second way in, or its scores depend on others."""
    try:
        with in_words("The model"), case, torch.no_grad():
            return second_way(case) or batch_bound(case, found.reads)
    except CutawayError:
        return ""  # what fails is told of each method


def second_way(case: Case) -> str:
    """Why a text cannot be explained at its embedding: other ids behind the same vectors change the scores.

    Ids that are in every text, such as those that begin and end one, and padding stay: models look for them.
    Within the case's context.
    """
    if case.entry is None:
        return ""
    other = _other_ids(case)
    if other is None:
        return ""
    beside = copy.copy(case)
    beside.batch = case.batch.with_principal(other)
    if _same(case, _seen(case, case.inputs, case.rows), _seen(beside, case.inputs, case.rows)):
        return ""
    return (
        f"Token ids also enter the model other than through {case.entry.name!r}: with the same vectors and other ids "
        "its scores change, so what a token adds cannot be told. Let all of the model start from one embedding, or "
        "name the layer that does with embedding_layer=."
    )


def _other_ids(case: Case) -> Tensor | None:
    """Ids (n, T) with each ordinary one replaced by another of the data; None if there are none."""
    ids, session = case.batch.principal, case.session
    batch = session.batch([int(index) for index in session.opened.sample.indices[:DRAWN]])
    texts = [set(row.tolist()) for row in batch.principal]
    common = set.intersection(*texts) if len(texts) > 1 else set()
    fixed = common | ({session.instances.pad_id} if session.instances.pad_id is not None else set())
    pool = torch.tensor(sorted(set().union(*texts) - fixed), dtype=ids.dtype, device=ids.device)
    ordinary = case.valid().reshape(ids.shape) & torch.isin(ids, pool)
    if len(pool) < 2 or not bool(ordinary.any()):
        return None
    generator = torch.Generator().manual_seed(SEED)
    places = torch.searchsorted(pool, ids.contiguous()).clamp_max(len(pool) - 1)
    shift = torch.randint(1, len(pool), tuple(ids.shape), generator=generator).to(ids.device)
    return torch.where(ordinary, pool[(places + shift) % len(pool)], ids)


def batch_bound(case: Case, reads: Sequence[Operation] = ()) -> str:
    """Why a case of one instance cannot be explained: beside others in a batch its scores are not those it has alone.

    Within the case's context. reads: where the model turns data into Python numbers, one for a whole batch.
    """
    noise = _noise(case, 2)
    x = torch.cat([case.inputs, case.inputs + noise[:1], case.inputs / 2 + noise[1:]])
    rows = torch.zeros(3, dtype=torch.int64)
    alone, beside = _seen(case, case.inputs, rows[:1]), _seen(case, x, rows)[:1]
    if _same(case, alone, beside):
        return ""
    causes = [
        f"{name} ({type(module).__name__}) computes with statistics of the batch"
        for name, module in case.session.model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None
    ]
    if reads and not causes:
        causes = [f"perhaps {_listed(reads)}, which makes one number of all of them"]
    cause = f": {causes[0]}" if causes else ""
    return (
        f"The scores of instance {int(case.batch.indices[0]):,} depend on what else is in the batch{cause}. Methods "
        "put many copies of an instance into one, so that what they find would not be of the instance alone."
    )


def cut_off(case: Case, found: Structure) -> tuple[str, list[str]]:
    """Why the gradient of a case's score is not its slope, '' if it is or that cannot be told; and what is worth saying
    although it is right.

    Slopes are central differences along random directions, with several steps; only where these agree with each other
    and not with the gradient is it wrong, so that kinks and rounding are no reason.
    """
    suspects = [one for one in (*found.cuts, *found.reads) if one.name in ASIDE]
    if case._dtype not in (torch.float32, torch.float64):
        return "", []
    try:
        with in_words("The model"), case:
            wrong, told = _disagreements(case)
    except CutawayError:
        return "", []
    if not wrong:
        notes = [
            f"{_listed(suspects)} yields values without a gradient; on instance {int(case.batch.indices[0]):,} the "
            "gradient is that of the score all the same."
        ]
        return "", notes if suspects and told else []
    slope, gradient = told
    blamed = suspects or [*found.cuts, *found.reads]
    why = f"{_listed(blamed)} yields values without a gradient" if blamed else "something on the way has another one"
    return (
        f"The gradient is not that of the score: along a random direction from instance "
        f"{int(case.batch.indices[0]):,} the score changes by {slope:.3g} for each step, and the gradient says "
        f"{gradient:.3g}. {why[:1].upper()}{why[1:]}."
    ), []


def _disagreements(case: Case) -> tuple[bool, tuple[float, ...]]:
    """Whether most directions disagree clearly, and the first slope and gradient that do (or that agree)."""
    noise = _noise(case, 1 + DIRECTIONS)
    spread = _spread(case)
    x = (case.inputs + NEAR * noise[:1]).requires_grad_()
    score = case.score(x, case.rows)
    if not score.requires_grad:
        return False, ()
    [gradient] = torch.autograd.grad(score.sum(), x, allow_unused=True)
    if gradient is None:
        return False, ()
    size = max(float(case.logits.abs().max()), float(score.detach().abs().max()), 1e-6)
    rounding = 16 * torch.finfo(case._dtype).eps * size
    wrong: list[tuple[float, float]] = []
    for direction in noise[1:]:
        told = float((gradient * direction).sum())
        slopes = _slopes(case, x.detach(), direction)
        usable = [one for one, step in zip(slopes, STEPS, strict=True) if rounding / step < AGREE / 2 * abs(one)]
        if len(usable) < 2 or max(usable) - min(usable) > AGREE * max(map(abs, usable)):
            return False, ()
        gap = [abs(one - told) / max(abs(one), abs(told)) for one in usable]
        if min(gap) <= DIFFER:
            return False, (usable[-1], told) if min(gap) <= AGREE else ()
        wrong.append((usable[-1] / spread, told / spread))
    return True, wrong[0]


def _slopes(case: Case, x: Tensor, direction: Tensor) -> list[float]:
    """Of the score along a direction, for each of the steps."""
    points = torch.cat([x + sign * step * direction for step in STEPS for sign in (1, -1)])
    scores = case.scores(points, torch.zeros(len(points), dtype=torch.int64)).double().cpu().reshape(-1, 2)
    return [float(up - down) / (2 * step) for (up, down), step in zip(scores, STEPS, strict=True)]


def _noise(case: Case, count: int) -> Tensor:
    """Normal noise (count, ...) as wide as the first instance's values, 0 at padding."""
    drawn = torch.randn(count, *case.inputs.shape[1:], generator=torch.Generator().manual_seed(SEED))
    return torch.where(case.valid()[:1], drawn.to(case.inputs) * _spread(case), 0.0)


def _spread(case: Case) -> float:
    values = case.inputs[:1][case.valid()[:1].expand_as(case.inputs[:1])]
    return float(values.std(correction=0)) or max(float(values.abs().max()), 1.0)


def _seen(case: Case, x: Tensor, rows: Tensor) -> Tensor:
    """What is explained, as far as classes go: logits (r, C), or the unit (r, 1)."""
    return case.score(x, rows)[:, None] if case.unit is not None else case.logits_of(x, rows)


def _same(case: Case, one: Tensor, other: Tensor) -> bool:
    share = SAME if case._dtype in (torch.float32, torch.float64) else ROUGH
    return float((one - other).abs().max()) <= share * (float(one.abs().max()) + 1e-3)


def _listed(suspects: Sequence[Operation], most: int = 3) -> str:
    named = list(dict.fromkeys(f"{one.name} in {one.where}" for one in suspects))
    return ", ".join(named[:most]) + (f" and {len(named) - most} more" if len(named) > most else "")
