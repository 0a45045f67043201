"""`serve --demo`: two simulated cameras from an empty folder, and none left behind."""

import signal
import stat

import pytest

from monitoring.models import Monitor
from monitoring.services import create_monitor, remove_demo
from sessionsite import demo
from sessionsite.accounts.models import ApiToken
from tests.site.processes import Server, running
from tests.waiting import PATIENCE_S, wait_until


@pytest.fixture
def folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_the_first_call_makes_two_marked_monitors_that_run(organisation, folder):
    assert demo.prepare_demo() == ["demo-cam-1", "demo-cam-2"]
    assert Monitor.objects.filter(is_demo=True).count() == 2
    assert all(monitor.sessions.open().exists() for monitor in Monitor.objects.all())


def test_each_camera_has_a_private_token_that_can_only_bring_pictures(organisation, folder):
    demo.prepare_demo()
    path = folder / "demo-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line.split()[0] for line in path.read_text().splitlines()] == ["demo-cam-1", "demo-cam-2"]
    assert {tuple(token.scopes) for token in ApiToken.objects.all()} == {("annotate", "ingest", "read")}


def test_a_second_call_changes_nothing(organisation, folder):
    demo.prepare_demo()
    before = (folder / "demo-token").read_text(), ApiToken.objects.count()
    assert demo.prepare_demo() == ["demo-cam-1", "demo-cam-2"]
    assert ((folder / "demo-token").read_text(), ApiToken.objects.count()) == before


def test_a_removed_demo_stays_away_and_leaves_no_key(
    organisation, folder, django_capture_on_commit_callbacks
):
    demo.prepare_demo()
    with django_capture_on_commit_callbacks(execute=True):
        remove_demo(organisation, by="ann")
    assert not (folder / "demo-token").exists()
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert demo.prepare_demo() == []
    assert not Monitor.objects.exists()


def test_somebody_elses_monitor_of_that_name_is_left_alone(organisation, folder):
    create_monitor(organisation, slug="demo-cam-1", name="Mine", by="ann")
    assert demo.prepare_demo() == ["demo-cam-2"]
    assert Monitor.objects.get(slug="demo-cam-1").name == "Mine"


@pytest.mark.once
@pytest.mark.server
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_the_cameras_post_pictures_and_end_with_the_server(sig, tmp_path):
    with running(Server, "--demo", data_dir=tmp_path / "data") as server:
        media = tmp_path / "data" / "media"
        wait_until(lambda: len([*media.rglob("*.jpg")]) >= 3, within_s=60, what="three pictures")
        cameras = wait_until(lambda: children_of(server.child.pid), what="the simulated cameras")
        server.child.send_signal(sig)
        server.child.wait(PATIENCE_S)
        wait_until(lambda: not [pid for pid in cameras if is_alive(pid)], what="the cameras have ended")


def children_of(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as listed:
        return [int(child) for child in listed.read().split()]


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as state:
            return state.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
