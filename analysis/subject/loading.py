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
        f"{what} ended with {named(error, 500, path)}\n{tail_of(error, path)}",
        f"Correct {path.name}; it must also run with: python {path.name}",
    )


def named(error: BaseException, length: int, path: Path | None = None) -> str:
    """An error's type, the place in the user's own code, and its text, of at most ``length`` characters.

    path: the subject file, which is the user's own wherever it is.
    """
    written = _written(error)
    if written is not None:
        return f"{type(error).__name__} at {written}: {str(error)[:length]}"
    last = _own_frame(_frames(error), path)
    place = f" at {Path(last.filename).name}:{last.lineno}" if last else ""
    return f"{type(error).__name__}{place}: {str(error)[:length]}"


def tail_of(error: BaseException, path: Path | None = None) -> str:
    """The end of an error's traceback, with the last of the user's own lines, however much a library did after it.

    path: the subject file, which is the user's own wherever it is.
    """
    frames = _frames(error)
    last = _own_frame(frames, path)
    said = "".join(traceback.format_exception_only(error)).rstrip().splitlines()
    own = _lines([last]) if last else []
    after = frames[len(frames) - frames[::-1].index(last) :] if last else frames
    # An error of syntax shows the file, the line and its text itself.
    rest = said if _written(error) else [*_lines(after), *said]
    room = TAIL - len(own)
    if len(rest) > room and own:
        rest = ["  ...", *rest[len(rest) - room + 1 :]]
    return "\n".join([*own, *rest[-room:]])


def _written(error: BaseException) -> str | None:
    """Where an error of syntax is in a file; None for any other error."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return f"{Path(error.filename).name}:{error.lineno}"
    return None


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Of an error's traceback, without those of Python's import."""
    return [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]


def _own_frame(frames: list[traceback.FrameSummary], path: Path | None) -> traceback.FrameSummary | None:
    """The last one in the subject file, or in another file that the user wrote."""
    own = (frame for frame in reversed(frames) if frame.filename == str(path) or modules.own_path(frame.filename))
    return next(own, None)


def _lines(frames: list[traceback.FrameSummary]) -> list[str]:
    return "".join(traceback.format_list(frames)).rstrip().splitlines()


def _found(file: Path, folder: Path) -> Path:
    beside = folder / file
    return beside if not file.is_absolute() and beside.exists() else file
