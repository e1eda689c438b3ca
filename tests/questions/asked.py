"""Questions of the tests, answered in the real worker. Importing this registers them there."""

# ruff: noqa: ARG001, F401 (parameters tell questions apart; functions are called by name)

import hashlib
import os
import time
from pathlib import Path

import numpy as np

from analysis.errors import ParameterError
from analysis.questions import registry, run
from analysis.questions.registry import QUICK, Question
from analysis.questions.run import answer, describe

NAMES = ("counted", "slow", "stands_on", "of_extraction", "crash", "refused", "broken", "tap", "logits")


def register():
    known = {question.name for question in registry.QUESTIONS}
    registry.QUESTIONS += tuple(
        Question(name, 1, f"Test {{text}} {name}", f"tests.questions.asked:{name}", priority=QUICK)
        for name in NAMES
        if name not in known
    )


register()


def extract(context, **params):
    """As the real one, at leisure."""
    breathe = context.breathe

    def slowly():
        time.sleep(0.05)
        breathe()

    context.breathe = slowly
    return run.extract(context, **params)


def _note(session, name):
    with (Path(session.cache).parent / "computed.txt").open("a") as stream:
        stream.write(f"{name}\n")


def counted(session, _context, *, text="", wait=0.0):
    _note(session, f"counted{text}")
    time.sleep(wait)
    return {"text": text, "pid": os.getpid(), "sample": session.sample}, {"zeros": np.zeros(3, np.float32)}


def slow(session, context, *, text="", steps=200):
    _note(session, "slow")
    for step in range(steps):
        context.progress(step + 1, steps, "steps")
        time.sleep(0.05)
    return {}, {}


def stands_on(session, _context, *, text=""):
    below = session.ask("counted", text=text)
    return {"below": below.json["text"]}, {"zeros": below.array("zeros") + 1}


def of_extraction(session, _context, *, text=""):
    found = session.extraction()
    return {"done": found.done, "n": len(found.indices)}, {}


def crash(_session, _context, *, text=""):
    os._exit(9)


def refused(_session, _context, *, text=""):
    raise ParameterError("This cannot be asked.", "Ask something else.")


def broken(session, _context, *, text=""):
    """Leaves a hook and a changed weight behind."""
    session.model[0].register_forward_hook(lambda *_: None)
    session.model[0].weight.data.add_(1)
    raise ValueError("broken half way")


def logits(session, _context, *, text=""):
    values = session.forward(session.batch(range(8))).cpu().numpy()
    return {"digest": hashlib.sha256(values.tobytes()).hexdigest()}, {"logits": values}


def tap(session, _context, *, text=""):
    return {"hooks": sum(len(module._forward_hooks) for module in session.model.modules())}, {}
