"""What the layout promises: nothing of the source hidden from git, a docstring everywhere, the import rules kept."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("analysis/**/*.py"), *ROOT.glob("dashboard/**/*.py"), ROOT / "run.py"])


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a git checkout")
def test_no_source_file_is_ignored_by_git() -> None:
    """An ignore rule for recorded runs once hid the view of that name from every clone."""
    files = [str(path.relative_to(ROOT)) for path in [*SOURCES, *ROOT.glob("assets/*"), *ROOT.glob("tests/**/*.py")]]
    done = subprocess.run(["git", "check-ignore", "--", *files], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_files_and_functions_keep_to_their_room() -> None:
    """Rough sizes; a file that outgrows its room is split by meaning."""
    large = []
    for path in SOURCES:
        text = path.read_text()
        if text.count("\n") > 330:
            large.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > 60:
                    large.append(f"{path.relative_to(ROOT)}: {node.name} has {lines} lines")
    assert large == []


def test_the_import_rules_hold() -> None:
    done = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_source_loads_a_pickle() -> None:
    """Opening a run, a checkpoint or a data set never executes code from it."""
    forbidden = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
    found: list[str] = []
    weights: list[str] = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if forbidden & {name.split(".")[0] for name in names}:
                found.append(str(path))
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "torch.load",
                "torch.jit.load",
                "torch.export.load",
                "np.load",
                "numpy.load",
                "eval",
                "exec",
            ):
                place = str(path.relative_to(ROOT))
                if place == "analysis/models/checkpoints.py" and any(k.arg == "weights_only" for k in node.keywords):
                    weights.append(ast.unparse(node))
                else:
                    found.append(f"{place}: {ast.unparse(node)[:80]}")
    assert found == []
    assert len(weights) <= 1  # the one place that opens files of weights, and explicit about what it allows
