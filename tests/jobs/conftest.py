import pytest
from job_desk import Desk


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "jobs")
    yield desk
    desk.stop()


@pytest.fixture
def running(desk):
    desk.start()
    return desk
