"""What the command line accepts, refuses, and says."""

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.errors import ParameterError
from dashboard import cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.delenv("CUTAWAY_TOKEN", raising=False)
    monkeypatch.setenv("CUTAWAY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def test_bare_shows_runs_here_and_the_demos(tmp_path):
    assert cli.parse([]).roots == (tmp_path / "home" / "demos",)
    (tmp_path / "runs").mkdir()
    settings = cli.parse([])
    assert settings.roots == (tmp_path / "runs", tmp_path / "home" / "demos")
    assert (settings.host, settings.port, settings.path_prefix, settings.token) == ("127.0.0.1", 8050, "/", None)
    assert cli.parse(["serve"]) == settings
    assert settings.jobs_dir == tmp_path / "home" / "jobs"


def test_directories_are_made_absolute_and_taken_once(tmp_path):
    (tmp_path / "a").mkdir()
    assert cli.parse(["a", "./a"]).roots[:-1] == (tmp_path / "a",)
    assert cli.parse(["serve", "a", "--port", "0"]).port == 0


def test_the_demo_is_named_and_its_runs_are_shown(tmp_path):
    settings = cli.parse(["demo", "--workspace", "w"])
    assert settings.demo == "digits"
    assert settings.roots == (tmp_path / "w" / "demos",)
    assert settings.demos_dir == settings.roots[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing"], "missing does not exist"),
        (["serve", "file"], "file is not a directory"),
        (["demo", "nothing"], "no demo 'nothing'"),
        (["--host", "0.0.0.0"], "no token is set"),
        (["--host", "::"], "no token is set"),
        (["--host", "192.168.1.7"], "no token is set"),
        (["--host", "example.org"], "no token is set"),
        (["--host", ""], "no token is set"),
        (["--token", ""], "shorter than 8"),
        (["--token", "short"], "shorter than 8"),
        (["--token", "with space and &"], "cannot carry"),
        (["--port", "70000"], "no port"),
        (["--path-prefix", "/a/../b"], "no URL path"),
        (["--path-prefix", "/a?b"], "no URL path"),
        (["--subject", "missing.py"], "missing.py does not exist"),
        (["--subject", "file"], "file is no Python file"),
        (["--subject", "folder.py"], "folder.py is not a file"),
        (["--trust-pickle", "missing.pt"], "missing.pt does not exist"),
        (["--worker-memory", "0"], "0 GiB of memory"),
        (["--worker-memory", "nan"], "nan GiB of memory"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_a_remedy(tmp_path, words, message):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(ParameterError, match=message) as caught:
        cli.parse(words)
    assert caught.value.remedy


def test_the_subject_and_what_its_worker_is_told(tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit")
    (tmp_path / "old.pt").write_text("")
    words = ["serve", "--subject", "mine.py", "--device", "cpu", "--trust-pickle", "old.pt", "--worker-memory", "1.5"]
    settings = cli.parse([*words, "--workspace", "w"])
    assert settings.subject == tmp_path / "mine.py"
    assert settings.for_jobs() == [
        ("subject", str(tmp_path / "mine.py")),
        ("device", "cpu"),
        ("cache", str(tmp_path / "w" / "cache")),
        ("demos", str(tmp_path / "w" / "demos")),
        ("trusted", str(tmp_path / "old.pt")),
    ]
    assert settings.worker_memory == 1.5
    plain = cli.parse(["--workspace", "w"])
    assert plain.for_jobs() == []
    assert plain.jobs_dir != settings.jobs_dir  # servers of other subjects have jobs of their own
    with pytest.raises(SystemExit):
        cli.parse(["--device", "tpu"])


def test_a_demo_brings_its_subject_unless_another_is_given(tmp_path):
    (tmp_path / "mine.py").write_text("")
    assert cli.parse(["demo", "digits"]).subject.name == "digits_subject.py"
    assert cli.parse(["demo", "digits", "--subject", "mine.py"]).subject == tmp_path / "mine.py"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_needs_no_token(host):
    assert cli.parse(["--host", host]).token is None


def test_tokens(monkeypatch):
    made = cli.parse(["--host", "0.0.0.0", "--token", "auto"]).token
    assert len(made) >= 32
    assert cli.parse(["--token", "auto"]).token != made
    monkeypatch.setenv("CUTAWAY_TOKEN", "from-the-environment")
    assert cli.parse(["--host", "0.0.0.0"]).token == "from-the-environment"
    monkeypatch.setenv("CUTAWAY_TOKEN", "")
    with pytest.raises(ParameterError):
        cli.parse([])


@pytest.mark.parametrize("given", ["cutaway", "/cutaway", "cutaway/", "//cutaway//"])
def test_the_prefix_is_normalised(given):
    assert cli.normalise_prefix(given) == "/cutaway/"
    assert cli.normalise_prefix("a/b") == "/a/b/"
    assert cli.normalise_prefix("") == cli.normalise_prefix("/") == "/"


def run(*words):
    return subprocess.run([sys.executable, ROOT / "run.py", *words], capture_output=True, text=True, timeout=60)


def test_help_and_version_wait_for_no_import():
    code = "import sys, run\ntry:\n    run.main(['--help'])\nexcept SystemExit:\n    print('dash' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert answer.stdout.splitlines()[-1] == "False"
    assert "serve" in run("--help").stdout
    assert run("--version").stdout.startswith("Cutaway 0.")
    assert "--path-prefix" in run("serve", "--help").stdout


def test_errors_end_with_code_two():
    answer = run("nowhere")
    assert answer.returncode == 2
    assert answer.stderr == "nowhere does not exist.\nGive the directory that holds your runs.\n"
    assert "Traceback" not in run("--host", "0.0.0.0").stderr


def test_the_command_line_and_the_web_process_import_no_torch():
    code = "import sys, dashboard.server, dashboard.gate, dashboard.cli, analysis.jobs; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert answer.stdout.strip() == "False"
