"""What views ask of a subject, through a real worker; and that the web process touches neither file nor model."""

# ruff: noqa: ARG001 (inside is the request)

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dash
import pytest

from analysis.errors import NotFound
from dashboard import jobs_panel, services, shell_callbacks, subjects
from dashboard.app import create_app
from dashboard.selection import Selection
from dashboard.settings import Settings
from dashboard.widgets.waiting import failed_box, waiting_box
from tests.questions.small_subject import checkpoint
from tests.questions.worker import SUBJECT, Worker, until

from .conftest import write_run
from .test_training import text_of

pytestmark = pytest.mark.timeout(120)
HERE = Selection(n=100)


class Page:
    """An app with a subject, its worker, and a run with a checkpoint that fits the subject."""

    def __init__(self, folder: Path) -> None:
        writer = write_run(folder / "runs" / "x", "With weights", steps=20)
        saved = folder / "runs" / "x" / "checkpoints" / "step-000000000007.safetensors"
        saved.parent.mkdir(exist_ok=True)
        checkpoint(saved)
        self.run_id = writer.run_id
        self.app = create_app(Settings(roots=(folder / "runs",), workspace=folder / "w", subject=SUBJECT, device="cpu"))
        self.worker = Worker(folder / "w")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page = Page(tmp_path_factory.mktemp("page"))
    with page.app.server.test_request_context("/"):
        assert subjects.described().state == "waiting"
        assert subjects.ask(HERE, "counted", wait=0).state == "waiting"
    page.worker.start()
    yield page
    page.worker.stop()


@pytest.fixture
def inside(page: Page) -> Iterator[Page]:
    with page.app.server.test_request_context("/"):
        until(lambda: subjects.described().state == "ready", 40)
        yield page


def finished(selection: Selection, question: str, **params: Any) -> subjects.Asked:
    return until(lambda: (found := subjects.ask(selection, question, **params)).state != "waiting" and found)


def test_the_subject_is_described(inside: Page) -> None:
    about = subjects.described()
    assert about.data is not None
    assert about.data["name"] == "Small"
    assert about.answer is not None
    assert about.answer.array("examples").ndim == 4
    assert [info.key for info in subjects.layers()] == ["0", "3", "6"]


def test_a_question_is_answered_in_the_request_and_then_without_a_job(inside: Page) -> None:
    first = finished(HERE, "counted", text="page")
    assert first.answer is not None
    assert first.answer.json["text"] == "page"
    jobs = len(inside.worker.jobs.list(limit=200))
    began = time.monotonic()
    again = subjects.ask(HERE, "counted", text="page")
    assert time.monotonic() - began < 0.2
    assert again.state == "ready"
    assert again.answer == first.answer
    assert len(inside.worker.jobs.list(limit=200)) == jobs
    assert inside.worker.count("countedpage") == 1


def test_what_nobody_asked_is_looked_up_without_a_job(inside: Page) -> None:
    before = len(inside.worker.jobs.list(limit=200))
    assert subjects.known(HERE, "counted", text="unasked").state == "none"
    assert len(inside.worker.jobs.list(limit=200)) == before
    first = finished(HERE, "counted", text="asked")
    assert subjects.known(HERE, "counted", text="asked").answer == first.answer
    finished(HERE, "refused", text="known")
    assert subjects.known(HERE, "refused", text="known").state == "failed"


def test_the_answer_outlives_the_list_of_jobs_and_the_server(inside: Page) -> None:
    first = finished(HERE, "counted", text="kept")
    inside.worker.jobs.clear_finished("server")
    for job in inside.worker.jobs.list(limit=200):
        inside.worker.jobs.clear_finished(job.owner)
    assert subjects.described().state == "ready"
    settings = services.current().settings
    other = create_app(settings)
    with other.server.test_request_context("/"):
        until(lambda: subjects.described().state == "ready", 40)
        assert subjects.ask(HERE, "counted", text="kept").answer == first.answer
    assert inside.worker.count("countedkept") == 1


def test_who_waits_is_told_how_far_it_is_and_may_cancel(inside: Page) -> None:
    asked = subjects.ask(HERE, "slow", wait=0.0, text="cancel")
    assert asked.state == "waiting"
    job = until(lambda: (now := subjects.ask(HERE, "slow", wait=0.0, text="cancel").job) and now.progress and now)
    words = text_of(waiting_box(job, "Slow things"))
    assert "of 200 steps" in words
    assert "Cancel" in words
    services.current().jobs.cancel(job.id, job.owner)
    until(lambda: subjects.ask(HERE, "slow", wait=0.0, text="cancel").state == "failed")
    assert "It was cancelled." in text_of(failed_box(subjects.ask(HERE, "slow", text="cancel").job, "Slow things"))


def test_a_failure_stays_until_somebody_asks_again(inside: Page) -> None:
    failed = finished(HERE, "refused", text="x")
    assert failed.state == "failed"
    assert failed.job is not None
    words = text_of(failed_box(failed.job, "The answer", {"layer": None}))
    assert "This cannot be asked. Ask something else." in words.replace("\n", " ")
    assert subjects.ask(HERE, "refused", text="x").job == failed.job
    retried = subjects.ask(HERE, "refused", again=True, wait=0.0, text="x")
    assert retried.state == "waiting"
    assert retried.job is not None
    assert retried.job.id != failed.job.id
    until(lambda: subjects.ask(HERE, "refused", text="x").state == "failed")
    _, pulse = jobs_panel.command({"do": "retry", "id": failed.job.id, "at": 1})
    assert pulse[0][1] in ("queued", "running")


@pytest.mark.parametrize(
    "sent", [None, 3, {}, {"do": "cancel"}, {"do": "retry", "id": "../x"}, {"do": "x", "id": []}, {"do": {}, "id": {}}]
)
def test_a_forged_command_does_nothing(inside: Page, sent: Any) -> None:
    assert inside.worker.jobs.list()
    assert jobs_panel.command(sent) == (dash.no_update, dash.no_update)


def test_an_extraction_is_readable_while_it_grows(inside: Page) -> None:
    selection = Selection(n=300)
    seen = set()

    def complete() -> bool:
        found = subjects.extraction(selection, wait=0.05)
        if found.reader is not None:
            seen.add(found.reader.done)
        return found.state == "ready"

    until(complete)
    assert max(seen) == 300
    assert len(seen) > 1
    assert subjects.extraction(selection).reader.maximum("0").shape == (300, 4)  # type: ignore[union-attr]
    assert subjects.extraction(selection).key != subjects.extraction(HERE).key


def test_checkpoints_of_run_a_and_what_there_is_not(inside: Page) -> None:
    selection = Selection(n=100, runs=(inside.run_id,), checkpoint="step-000000000007")
    found = subjects.checkpoint_of(selection)
    assert found is not None
    assert len(found["sha256"]) == 64
    own, other = (finished(chosen, "logits", text="check").answer for chosen in (HERE, selection))
    assert own is not None
    assert other is not None
    assert own.json["digest"] != other.json["digest"]
    for name in ("nothing", "../../etc/passwd", "\0"):
        with pytest.raises(NotFound):
            subjects.checkpoint_of(selection.with_(checkpoint=name))
    with pytest.raises(NotFound):
        subjects.ask(Selection(checkpoint="nothing"), "counted")


def test_pickers_offer_layers_and_checkpoints_of_both(inside: Page) -> None:
    polygons = "lasso=0,0,1,1,0,1&plasso=0,0,1,1,0,1"
    search = f"?runs={inside.run_id}&instances=3,4&filter=1&filters=1-4&{polygons}&subset=class:1"
    layers, saved, chips = shell_callbacks.offer_parts(*[None] * 11, search)
    assert [item["value"] for item in layers] == ["conv1", "fc", "0", "3", "6"]
    assert [item["value"] for item in saved] == ["step-000000000007"]
    words = text_of(chips)
    expected = ("Filter 1", "4 filters", "Instance 3", "Lasso", "Subset: labelled ", "Lasso of the projection")
    assert all(text in words for text in expected)


def test_the_pulse_tells_of_answers(inside: Page) -> None:
    before = subjects.pulse()
    assert subjects.pulse() == before
    finished(HERE, "counted", text="pulse")
    after = subjects.pulse()
    assert after != before
    assert json.dumps(after)


def test_an_emptied_cache_is_filled_again(inside: Page) -> None:
    first = finished(HERE, "counted", text="emptied").answer
    assert first is not None
    shutil.rmtree(services.current().settings.cache_dir)
    until(lambda: subjects.described().state == "ready", 40)
    again = finished(HERE, "counted", text="emptied")
    assert again.state == "ready"
    assert again.key == first.key
    assert inside.worker.count("countedemptied") == 2


def test_a_server_without_a_subject_says_so(app: dash.Dash) -> None:
    with app.server.test_request_context("/"):
        assert subjects.described() == subjects.Described("none")
        assert subjects.ask(HERE, "counted").state == "none"
        assert subjects.extraction(HERE).state == "none"
        assert subjects.layers() == []


def test_the_web_process_never_runs_the_subject(tmp_path: Path) -> None:
    subject = tmp_path / "my_subject.py"
    subject.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    code = (
        "import sys\nfrom pathlib import Path\nfrom dashboard.app import create_app\n"
        "from dashboard.settings import Settings\nfrom dashboard import subjects\n"
        f"here, subject = Path({str(tmp_path / 'w')!r}), Path({str(subject)!r})\n"
        "app = create_app(Settings(roots=(), workspace=here, subject=subject))\n"
        "with app.server.test_request_context('/'): print(subjects.described().state)\n"
        "print(sorted({'torch', 'my_subject', 'umap', 'captum'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["waiting", "[]"]
    assert not (tmp_path / "sprung").exists()
