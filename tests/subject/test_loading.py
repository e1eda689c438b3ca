"""The subject file: run from where it is, and every way in which it can be wrong said with a remedy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis import Subject
from analysis.data.errors import SubjectError
from analysis.subject.loading import load_subject, source_of

GOOD = """
import torch
from analysis import Subject
from helper_of_this_test import CLASSES

def subject():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    return Subject(model, [(torch.zeros(1, 2, 2), 0)], class_names=CLASSES, checkpoints={"best": "best.pt"})

if __name__ == "__main__":
    raise RuntimeError("only when started")
"""


@pytest.fixture(autouse=True)
def _path_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_a_file_is_run_with_its_folder_to_import_from(tmp_path: Path) -> None:
    (tmp_path / "helper_of_this_test.py").write_text("CLASSES = ['a', 'b']")
    (tmp_path / "best.pt").write_text("")
    path = write(tmp_path, GOOD)
    found = load_subject(path)
    assert isinstance(found, Subject)
    assert found.name == "mine"
    assert found.class_names == ["a", "b"]
    assert found.checkpoints == {"best": tmp_path / "best.pt"}
    before = source_of(path)
    path.write_text(GOOD + "#")
    assert source_of(path) != before


@pytest.mark.parametrize(
    ("text", "words", "remedy"),
    [
        ("x = 1", "no function", "def subject"),
        ("subject = 5", "a int instead of a function", "def subject"),
        ("def subject(): return 5", "returned a int", "def subject"),
        ("def subject(): return None", "returned a NoneType", "def subject"),
        ("def subject(): return 1 / 0", "ZeroDivisionError", "python mine.py"),
        ("def subject(a): return a", "TypeError", "python mine.py"),
        ("1 / 0", "ZeroDivisionError", "python mine.py"),
        ("def subject(:", "SyntaxError", "python mine.py"),
        ("import no_such_module_here", "no_such_module_here", "python mine.py"),
        ("import sys; sys.exit(3)", "SystemExit", "python mine.py"),
        ("import sys\ndef subject(): sys.exit(3)", "SystemExit", "python mine.py"),
        (
            "from analysis import Subject\ndef subject(): return Subject(3, [1])",
            "not a PyTorch module",
            "torch.nn.Module",
        ),
        (
            "import torch\nfrom analysis import Subject\nSubject(torch.nn.Linear(1, 2), [(torch.zeros(1), 0)]).serve()",
            "opens a dashboard",
            "__main__",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_a_remedy(tmp_path: Path, text: str, words: str, remedy: str) -> None:
    with pytest.raises(SubjectError) as caught:
        load_subject(write(tmp_path, text))
    assert words in caught.value.message
    assert remedy in caught.value.remedy


def test_the_tail_of_the_traceback_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match=r"mine\.py.*line 2") as caught:
        load_subject(write(tmp_path, "def subject():\n    return 1 / 0\n"))
    assert caught.value.message.count("\n") <= 9


def test_the_users_own_line_is_named_where_a_library_fails(tmp_path: Path) -> None:
    text = "import torch\ndef subject():\n    model = torch.nn.Sequential(torch.nn.Linear(4, 2))\n"
    text += "    model.load_state_dict({'wrong': torch.ones(1)})\n"
    with pytest.raises(SubjectError) as caught:
        load_subject(write(tmp_path, text))
    assert "ended with RuntimeError at mine.py:4: " in caught.value.message
    assert "model.load_state_dict({'wrong'" in caught.value.message
    assert "Unexpected key(s)" in caught.value.message.splitlines()[-1]


def test_a_text_that_is_no_python_names_the_users_line(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match=r"SyntaxError at mine\.py:2: "):
        load_subject(write(tmp_path, "def subject():\n    return eval('1 +')\n"))


def test_a_helpers_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken_helper.py").write_text("\n\n1 / 0\n")
    with pytest.raises(SubjectError, match=r"at broken_helper\.py:3: division") as caught:
        load_subject(write(tmp_path, "import broken_helper\n"))
    assert "importlib" not in caught.value.message


@pytest.mark.parametrize("helper", [False, True])
def test_a_syntax_error_is_shown_with_its_line_and_no_machinery(tmp_path: Path, helper: bool) -> None:
    wrong = "import math\n\ndef subject(:\n    pass\n"
    (tmp_path / "wrong_helper.py").write_text(wrong)
    with pytest.raises(SubjectError) as caught:
        load_subject(write(tmp_path, "import wrong_helper\n" if helper else wrong))
    name = "wrong_helper.py" if helper else "mine.py"
    message = caught.value.message
    assert f"SyntaxError at {name}:3: " in message
    assert f'{name}", line 3' in message
    assert "\n    def subject(:\n" in message
    assert "importlib" not in message
    assert "loading.py" not in message


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="There is no file"):
        load_subject(tmp_path / "gone.py")


def test_asking_for_the_package_imports_no_torch() -> None:
    code = "import sys, analysis, analysis.subject, analysis.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
    with pytest.raises(AttributeError):
        __import__("analysis").Nothing  # noqa: B018
