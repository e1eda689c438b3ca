"""Questions in the real worker: computed once, cached by what they depend on, each for itself."""

import hashlib
import os
from pathlib import Path

import pytest

from analysis.extraction.reader import Extraction

from .small_subject import checkpoint
from .worker import Worker, until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    worker = Worker(tmp_path_factory.mktemp("workspace")).start()
    yield worker
    worker.stop()


@pytest.fixture(scope="module")
def description(worker):
    return worker.describe().json


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "other.safetensors"
    checkpoint(path)
    return {"name": "other", "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_the_subject_is_described_and_what_it_prints_is_in_its_log(worker, description):
    assert (description["name"], description["n"], description["kind"]) == ("Small", 300, "image")
    job = worker.jobs.list()[-1]
    assert "the subject's file was run" in (worker.jobs.directory / job.id / "log.txt").read_text()


def test_the_same_question_is_computed_once(worker, description):
    first, answer = worker.ask(description, "counted", text="once")
    assert answer.json["text"] == "once"
    assert answer.array("zeros").shape == (3,)
    again, same = worker.ask(description, "counted", text="once")
    assert again.id != first.id
    assert same.key == answer.key
    assert worker.count("countedonce") == 1
    worker.ask(description, "counted", text="once", n=50)  # another sample
    assert worker.count("countedonce") == 2


def test_what_is_always_included_is_part_of_the_sample(worker, description):
    _, answer = worker.ask(description, "counted", text="sample")
    assert answer.json["sample"] == {"n": 100, "random_state": 0, "include": [7]}


def test_a_question_stands_on_another(worker, description):
    _, answer = worker.ask(description, "stands_on", text="below")
    assert answer.json == {"below": "below"}
    worker.ask(description, "counted", text="below")
    assert worker.count("countedbelow") == 1


def test_a_question_gets_its_extraction_computed(worker, description):
    job, answer = worker.ask(description, "of_extraction", n=70)
    assert job.state == "done", job.error
    assert answer.json["done"] == answer.json["n"] >= 70
    key, job_id = worker.extract(description, n=70)
    worker.wait(job_id, "done")
    assert Extraction(worker.workspace / "cache" / "extractions" / key).complete


def test_a_checkpoint_is_used_and_given_back(worker, description, saved):
    own = worker.ask(description, "logits", text="a")[1].json["digest"]
    other = worker.ask(description, "logits", saved, text="a")[1].json["digest"]
    assert own != other
    assert worker.ask(description, "logits", text="b")[1].json["digest"] == own


def test_a_checkpoint_that_was_changed_is_refused(worker, description, saved, tmp_path):
    data = bytearray(Path(saved["path"]).read_bytes())
    data[-1] ^= 1
    (tmp_path / "flipped.safetensors").write_bytes(data)
    job, answer = worker.ask(description, "logits", {**saved, "path": str(tmp_path / "flipped.safetensors")}, text="c")
    assert (job.state, answer) == ("failed", None)
    assert "checksum" in job.error["message"]
    assert "differs" in job.error["message"]


def test_a_refusal_is_told_and_an_accident_leaves_no_trace(worker, description):
    job, _ = worker.ask(description, "refused")
    assert job.error["message"] == "This cannot be asked."
    before = worker.ask(description, "logits", text="before")[1].json["digest"]
    job, _ = worker.ask(description, "broken")
    assert "broken half way" in job.error["message"]
    assert worker.ask(description, "tap")[1].json["hooks"] == 0
    assert worker.ask(description, "logits", text="after")[1].json["digest"] == before


def test_a_crash_ends_its_question_only(worker, description):
    before = worker.ask(description, "counted", text="p1")[1].json["pid"]
    job, _ = worker.ask(description, "crash")
    assert job.state == "failed"
    assert "exit code 9" in job.error["message"]
    assert worker.ask(description, "counted", text="p2")[1].json["pid"] != before


def test_a_question_of_another_subject_is_refused(worker, description):
    job, _ = worker.ask({**description, "code": "0" * 64}, "counted", text="other")
    assert job.state == "failed"
    assert "changed since this was asked" in job.error["message"]
    job_id = worker.jobs.submit("subject", {"subject": "/elsewhere.py"}, name="x")
    assert "another subject" in worker.wait(job_id).error["message"]


def test_an_extraction_lets_a_question_pass_and_ends_with_the_same_bytes(worker, description, saved):
    """The question uses other weights, and the model's hooks, while the extraction waits."""
    key, job_id = worker.extract(description, n=300, checkpoint=saved)
    until(lambda: (worker.jobs.get(job_id).progress or {}).get("unit") == "instances")
    asked = [worker.submit(description, "tap", text=str(number)) for number in range(3)]
    for answer_key, question in asked:
        assert worker.wait(question).state == "done"
        assert worker.answers.get(answer_key).json["hooks"] == 0
    passed = [worker.jobs.get(question).finished for _, question in asked]
    job = worker.wait(job_id)
    assert job.state == "done"
    assert max(passed) < job.finished
    place = worker.workspace / "cache" / "extractions" / key
    files = {path.name: path.read_bytes() for path in place.glob("*.safetensors")}
    for path in [*place.iterdir()]:
        path.unlink()
    assert worker.wait(worker.extract(description, n=300, checkpoint=saved)[1]).state == "done"
    assert {path.name: path.read_bytes() for path in place.glob("*.safetensors")} == files


def test_questions_survive_a_restart(worker, description):
    key, running = worker.submit(description, "slow", text="a", steps=20)
    waiting_key, waiting = worker.submit(description, "counted", text="later")
    until(lambda: worker.jobs.get(running).progress)
    os.kill(worker.runner.pid, 9)
    worker.runner.wait()
    worker.start()
    assert worker.wait(running).state == "done"
    assert worker.wait(waiting).state == "done"
    assert worker.answers.get(key) is not None
    assert worker.answers.get(waiting_key) is not None
    assert worker.count("slow") == 2
