"""Modules of the user's own: neither installed, nor of Python, nor of Cutaway."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
_INSTALLED = ("site-packages", "dist-packages")
_PYTHON = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]
_FOREIGN = (*_PYTHON, ROOT / "analysis", ROOT / "dashboard")


def own_file(module: ModuleType | None) -> Path | None:
    """The Python file of a module that the user wrote; None for any other module."""
    name = getattr(module, "__file__", None)
    return own_path(name) if isinstance(name, str) and name.endswith(".py") else None


def own_path(name: str) -> Path | None:
    """The path of a file if the user wrote it, and it is there; None otherwise."""
    path = Path(name).resolve()
    installed = any(part in _INSTALLED for part in path.parts) or any(path.is_relative_to(home) for home in _FOREIGN)
    return None if installed or not path.is_file() else path


def reached(names: set[str]) -> dict[str, Path]:
    """The user's modules among ``names`` and all that they import at their top: name and file."""
    found: dict[str, Path] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        path = None if name in found else own_file(module)
        if path is None:
            continue
        found[name] = path
        for value in list(vars(module).values()):
            home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(home, str):
                waiting.append(home)
    return found


def forget(kept: set[str]) -> None:
    """Let the user's modules be imported anew, but for those named: they may have been edited."""
    for name, module in list(sys.modules.items()):
        if name not in kept and name != "__main__" and own_file(module) is not None:
            del sys.modules[name]
