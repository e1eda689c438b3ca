"""Where a model computes, with a notice where that is not where it was asked to."""

from __future__ import annotations

import torch

from analysis.errors import ParameterError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(wanted: str) -> tuple[torch.device, list[str]]:
    """The device to compute on, and what the user should know about it.

    Args:
        wanted: 'auto' (CUDA, MPS or the CPU, the first there is), 'cpu', 'cuda', 'cuda:1', 'mps'.

    Raises:
        ParameterError: no such device name.
    """
    name = str(wanted).strip().lower()
    if name.split(":")[0] not in DEVICES:
        raise ParameterError(f"There is no device {wanted!r}.", f"Choose one of: {', '.join(DEVICES)}.")
    try:
        candidates = [torch.device(name)] if name != "auto" else _present()
    except RuntimeError:
        raise ParameterError(f"There is no device {wanted!r}.", f"Choose one of: {', '.join(DEVICES)}.") from None
    notices: list[str] = []
    for device in candidates:
        reason = _fails(device)
        if not reason:
            return device, notices
        notices.append(f"The device {device} cannot be used ({reason}); the model computes on the CPU.")
    return torch.device("cpu"), notices[-1:]


def _present() -> list[torch.device]:
    found = []
    if torch.cuda.is_available():
        found.append(torch.device("cuda", torch.cuda.current_device()))
    if torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return [*found, torch.device("cpu")]


def _fails(device: torch.device) -> str:
    """Why nothing can be computed there, '' if it can."""
    if device.type == "cpu":
        return ""
    if device.type == "cuda" and not torch.cuda.is_available():
        return "there is no CUDA here" if torch.version.cuda is None else "torch finds no CUDA GPU"
    try:
        if float(torch.ones(2, device=device).sum()) == 2:
            return ""
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return str(error).splitlines()[0][:200]
    return "it computes wrongly"
