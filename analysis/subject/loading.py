"""Runs the subject file that was named on the command line - the only code of a user that a server runs."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from analysis.data.errors import SubjectError
from analysis.errors import CutawayError
from analysis.subject import modules
from analysis.subject.subject import Subject

FUNCTION = "subject"
TAIL = 8  # lines of a traceback that are shown
_EXAMPLE = "Write: def subject(): return Subject(model, dataset)."
_loading: list[Path] = []
_before: set[str] = set()  # modules that were there before the first file was run


def load_subject(path: Path) -> Subject:
    """Run a file and call its function ``subject()``.

    The file's folder is where it imports from, as if it had been started itself; its ``__name__`` is not
    ``'__main__'``, so what it does only when started is not done. Relative paths of checkpoints count from its folder
    where they are found there. What it imports of the user's own is read anew each time: it may have been edited.

    Raises:
        SubjectError: no such file, no such function, it raised an error (with the tail of its traceback), or it
            returned something else. Errors of ``Subject`` itself are passed on.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise SubjectError(f"There is no file {path}.", "Name a Python file that holds a function subject().")
    module = _run(path)
    function = getattr(module, FUNCTION, None)
    if not callable(function):
        what = "no function" if function is None else f"a {type(function).__name__} instead of a function"
        raise SubjectError(f"{path.name} holds {what} {FUNCTION}().", _EXAMPLE)
    _loading.append(path)
    try:
        result = function()
    except CutawayError:
        raise
    except (Exception, SystemExit) as error:
        raise _failed(f"{FUNCTION}() of {path.name}", error, path) from error
    finally:
        _loading.remove(path)
    if not isinstance(result, Subject):
        raise SubjectError(f"{FUNCTION}() of {path.name} returned a {type(result).__name__}, not a Subject.", _EXAMPLE)
    result.name = result.name or path.stem
    result.checkpoints = {name: _found(file, path.parent) for name, file in result.checkpoints.items()}
    return result


def source_of(path: Path) -> str:
    """SHA-256 of a subject file, for ``Session(source=)``. Raises OSError."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def refuse_while_loading() -> None:
    """Raises SubjectError while a subject file is being run: it must not open a dashboard of its own then."""
    if _loading:
        raise SubjectError(
            f"{_loading[-1].name} opens a dashboard while a dashboard loads it.",
            "Put .serve() below: if __name__ == '__main__':",
        )


def _run(path: Path) -> ModuleType:
    _before.update(() if _before else sys.modules)
    modules.forget(_before)
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = f"subject_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SubjectError(f"{path.name} is no Python file.", "Name a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    _loading.append(path)
    try:
        spec.loader.exec_module(module)
    except CutawayError:
        raise
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise _failed(path.name, error, path) from error
    finally:
        _loading.remove(path)
    return module


def _failed(what: str, error: BaseException, path: Path) -> SubjectError:
    return SubjectError(
        f"{what} ended with {type(error).__name__}: {str(error)[:500]}\n{tail_of(error)}",
        f"Correct {path.name}; it must also run with: python {path.name}",
    )


def tail_of(error: BaseException) -> str:
    """The last lines of an error's traceback."""
    lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
    return "\n".join(lines[-TAIL:])


def _found(file: Path, folder: Path) -> Path:
    beside = folder / file
    return beside if not file.is_absolute() and beside.exists() else file
