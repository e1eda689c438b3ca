"""Which function each kind of job calls. Explicit: nothing found on disk or sent by a browser can name code to run."""

from __future__ import annotations

MODEL = "model"

# kind -> 'package.module:function', called as function(context, **params) in a process of its own, or in its queue's
KINDS: dict[str, str] = {
    "demo": "analysis.demos.run:run_demo",
    "subject": "analysis.questions.run:describe",
    "extract": "analysis.questions.run:extract",
    "question": "analysis.questions.run:answer",
}

# kind -> queue: its jobs run one after another in one process that stays warm, the queue's host.
QUEUES: dict[str, str] = {"subject": MODEL, "extract": MODEL, "question": MODEL}

# Kinds whose function can be called again after it was cut off; these are queued once more when the server comes back.
RESUMABLE: frozenset[str] = frozenset({"demo", "subject", "extract", "question"})
