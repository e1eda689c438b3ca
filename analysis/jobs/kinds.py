"""Which function each kind of job calls. Explicit: nothing found on disk or sent by a browser can name code to run."""

from __future__ import annotations

# kind -> 'package.module:function', called as function(context, **params) in a process of its own
KINDS: dict[str, str] = {
    "demo": "analysis.demos.run:run_demo",
}

# Kinds whose function can be called again after it was cut off; these are queued once more when the server comes back.
RESUMABLE: frozenset[str] = frozenset({"demo"})
