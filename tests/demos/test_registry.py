from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from analysis.demos import registry, run
from analysis.errors import ParameterError


def test_digits_come_first():
    assert registry.DEMOS[0].name == "digits"
    assert len({demo.name for demo in registry.DEMOS}) == len(registry.DEMOS)


@pytest.mark.parametrize("demo", registry.DEMOS, ids=lambda demo: demo.name)
def test_every_demo_is_described_and_its_module_exists(demo):
    assert demo.title
    assert demo.minutes
    assert demo.description.count(". ") == 1
    assert demo.module or demo.subject
    assert not demo.module or importlib.util.find_spec(demo.module)
    path = registry.subject_file(demo)
    assert path is None or "\ndef subject() -> Subject:" in path.read_text()
    assert registry.missing(demo) == []
    registry.check(registry.get(demo.name))


def test_an_unknown_demo_lists_the_known_ones():
    with pytest.raises(ParameterError, match=r"no demo 'digit'.*digits"):
        registry.get("digit")


def test_a_missing_package_is_named_with_the_remedy(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "mlxtend" else find(name))
    demo = registry.get("digits")
    assert registry.missing(demo) == ["mlxtend"]
    with pytest.raises(ParameterError, match=r"needs mlxtend, not installed here.*make demo") as raised:
        registry.check(demo)
    assert "requirements.txt" in raised.value.remedy


def test_the_web_process_can_read_the_registry():
    """It must not pay for torch, nor need the packages of a demo."""
    code = (
        "import sys; from analysis.demos import registry; [registry.missing(d) for d in registry.DEMOS]; "
        "import analysis.training; "
        "print([m for m in ('torch', 'mlxtend', 'pandas', 'dash', 'analysis.recording') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_demo_that_only_opens_a_model_trains_nothing(tmp_path):
    assert run.run_demo(None, name="imagenet", directory=str(tmp_path)) == {"runs": [], "reused": []}
    assert list(tmp_path.iterdir()) == []
