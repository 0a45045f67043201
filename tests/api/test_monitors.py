"""Monitors over REST: made, changed, started, stopped, archived, asked."""

import pytest
from django.utils import timezone

from monitoring.models import Monitor
from sessions_app.models import Session
from sessionsite.common.clock import parse_iso

MONITORS = "/api/v1/monitors/"


def test_an_admin_makes_a_monitor_that_is_idle(as_admin, organisation):
    made = as_admin.post(MONITORS, {"slug": "line-7", "name": "Line 7", "expected_interval_s": 2})
    assert made.status_code == 201
    assert made.json()["slug"] == "line-7"
    assert made.json()["status"] == "idle"
    assert made.json()["organisation"] == "default"
    assert made.json()["expected_interval_s"] == 2.0
    assert made["ETag"] == f'"{made.json()["revision"]}"'
    assert as_admin.get(f"{MONITORS}line-7/").json() == made.json()


@pytest.mark.parametrize("slug", ["UPPER", "a b", "", "x" * 65, "new", "updatetags", "ä", None, 5])
def test_a_slug_that_no_address_can_hold_is_refused_by_name(as_admin, organisation, slug):
    answer = as_admin.post(MONITORS, {"slug": slug})
    assert answer.status_code == 400
    assert "slug" in answer.json()["details"]["fields"]


def test_a_taken_slug_is_a_conflict(as_admin, monitor, refused):
    details = refused(as_admin.post(MONITORS, {"slug": "cam-1"}), 409, "slug_taken")
    assert details["field"] == "slug"


def test_a_misspelt_field_is_refused_not_dropped(as_admin, monitor, refused):
    details = refused(as_admin.patch(f"{MONITORS}cam-1/", {"nmae": "x"}), 400, "invalid")
    assert list(details["fields"]) == ["nmae"]


def test_settings_change_one_by_one_and_the_slug_does_not(as_admin, monitor, refused):
    url = f"{MONITORS}cam-1/"
    changed = as_admin.patch(url, {"name": "Entry", "quota_bytes": 10**12, "capture_for_training": True})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["quota_bytes"]) == ("Entry", 10**12)
    assert as_admin.patch(url, {"quota_bytes": None}).json()["quota_bytes"] is None
    refused(as_admin.patch(url, {"slug": "cam-2"}), 400, "invalid")
    refused(as_admin.patch(url, {"expected_interval_s": 0}), 400, "invalid")
    refused(as_admin.patch(url, {"quota_bytes": 2**63}), 400, "bad_number")
    refused(as_admin.patch(url, {"quota_bytes": "many"}), 400, "invalid")


def test_a_dataset_is_named_by_its_key_and_must_exist(as_admin, monitor, refused):
    dataset = as_admin.post("/api/v1/datasets/", {"name": "Plates"}).json()["key"]
    url = f"{MONITORS}cam-1/"
    assert as_admin.patch(url, {"dataset": dataset}).json()["dataset"] == dataset
    refused(as_admin.patch(url, {"dataset": "nothing"}), 400, "unknown_dataset")
    assert as_admin.patch(url, {"dataset": None}).json()["dataset"] is None


def test_start_opens_a_session_and_a_second_start_is_refused(as_operator, monitor, refused):
    started = as_operator.post(f"{MONITORS}cam-1/start/", {"uid": "ann"})
    assert started.status_code == 201
    assert started.json()["state"] == "active"
    assert started.json()["started_by"] == "operator"
    assert started.json()["data"] == {"uid": "ann"}
    details = refused(as_operator.post(f"{MONITORS}cam-1/start/"), 409, "already_started")
    assert details["monitor"] == "cam-1"
    stopped = as_operator.post(f"{MONITORS}cam-1/stop/", {"reason": "shift end"})
    assert stopped.status_code == 200
    assert (stopped.json()["key"], stopped.json()["end_reason"]) == (started.json()["key"], "shift end")
    refused(as_operator.post(f"{MONITORS}cam-1/stop/"), 409, "already_stopped")


def test_a_running_monitor_is_not_archived_and_an_archived_one_is_off_the_list(as_admin, monitor, refused):
    url = f"{MONITORS}cam-1/"
    as_admin.post(f"{url}start/")
    refused(as_admin.delete(url), 409, "monitor_running")
    as_admin.post(f"{url}stop/")
    assert as_admin.delete(url).status_code == 204
    assert as_admin.get(MONITORS).json()["results"] == []
    [archived] = as_admin.get(f"{MONITORS}?archived=true").json()["results"]
    assert archived["archived_at"].endswith("Z")
    refused(as_admin.post(f"{url}start/"), 409, "conflict")
    assert as_admin.post(f"{url}restore/").json()["archived_at"] is None
    assert len(as_admin.get(MONITORS).json()["results"]) == 1


def test_the_state_is_the_object_of_the_live_topic(as_viewer, image):
    from monitoring.topics import MonitorTopic

    answer = as_viewer.get(f"{MONITORS}cam-1/state/")
    ours, theirs = answer.json(), MonitorTopic().snapshot("cam-1").data
    for state in (ours, theirs):
        del state["at"], state["flow"]["recent"], state["flow"]["until"]  # they move with the clock
    assert ours == theirs


def test_a_known_state_is_answered_304_until_something_changes(as_viewer, monitor):
    from monitoring.services import start_monitor

    first = as_viewer.get(f"{MONITORS}cam-1/state/")
    assert first["ETag"].startswith('W/"')
    again = as_viewer.get(f"{MONITORS}cam-1/state/", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304 and again.content == b""
    start_monitor(monitor, by="ann")
    changed = as_viewer.get(f"{MONITORS}cam-1/state/", headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200 and changed["ETag"] != first["ETag"]


def test_a_rate_that_falls_without_a_new_revision_is_not_hidden_by_the_tag(as_viewer, image, time_machine):
    url = f"{MONITORS}cam-1/state/"
    time_machine.move_to(image.received_at, tick=False)
    moving = as_viewer.get(url)
    assert moving.json()["flow"]["current_flow_rate"] == 1.0
    time_machine.shift(400)
    later = as_viewer.get(url, headers={"If-None-Match": moving["ETag"]})
    assert later.status_code == 200
    assert later.json()["revision"] == moving.json()["revision"]
    assert later.json()["flow"]["current_flow_rate"] == 0.0
    time_machine.shift(60)
    assert as_viewer.get(url, headers={"If-None-Match": later["ETag"]}).status_code == 304


def test_the_controller_finds_its_request_and_an_old_acknowledgement_changes_nothing(as_device, session):
    url = f"{MONITORS}cam-1/controller/"
    pending = as_device.get(url).json()
    assert pending["status"] is True and pending["request"]["command"] == "start_capture"
    assert pending["acked_at"] is None
    stale = as_device.post(f"{url}ack/", {"request_id": "rq_of_yesterday"}).json()
    assert stale == {"acknowledged": False, "controller": pending}
    done = as_device.post(f"{url}ack/", {"request_id": pending["request"]["id"]}).json()
    assert done["acknowledged"] is True and done["controller"]["status"] is False
    assert parse_iso(done["controller"]["acked_at"]) <= timezone.now()
    again = as_device.post(f"{url}ack/", {"request_id": pending["request"]["id"]}).json()
    assert again["acknowledged"] is False


def test_the_rate_has_a_bucket_per_ten_seconds(as_viewer, image, time_machine, refused):
    time_machine.move_to(image.received_at, tick=False)
    rate = as_viewer.get(f"{MONITORS}cam-1/rate/?minutes=2").json()
    assert rate["bucket_s"] == 10 and len(rate["counts"]) == 12
    assert rate["counts"][-1] == 1 and sum(rate["counts"]) == 1
    assert rate["from"].endswith("0.000Z")
    assert len(as_viewer.get(f"{MONITORS}cam-1/rate/").json()["counts"]) == 360
    for wrong in ("0", "121", "x", "1e3", ""):
        refused(as_viewer.get(f"{MONITORS}cam-1/rate/?minutes={wrong}"), 400, "invalid")
    refused(as_viewer.get(f"{MONITORS}cam-1/rate/?hours=1"), 400, "invalid")


def test_the_demo_goes_in_one_step_with_its_files(as_admin, organisation, monitor, image, jpeg, refused):
    from django.conf import settings

    from monitoring.models import Image
    from monitoring.services import NewImage, add_image, create_monitor, start_monitor

    demo = create_monitor(organisation, slug="demo-1", is_demo=True, by="demo")
    start_monitor(demo, by="demo")
    kept = Image.objects.get(key=add_image(NewImage(data=jpeg, monitor=demo)).key)
    paths = [settings.MEDIA_ROOT / path for path in (kept.file_path, kept.thumbnail_path)]
    assert all(path.exists() for path in paths)

    gone = as_admin.post(f"{MONITORS}remove_demo/", {"organisation": "default"})
    assert gone.status_code == 200
    assert gone.json() == {"monitors": 1, "sessions": 1, "images": 1, "bytes": kept.size_bytes}
    assert list(Monitor.objects.values_list("slug", flat=True)) == ["cam-1"]
    assert Session.objects.count() == 1 and Image.objects.get() == image
    again = as_admin.post(f"{MONITORS}remove_demo/", {"organisation": "default"})
    assert again.json() == {"monitors": 0, "sessions": 0, "images": 0, "bytes": 0}


@pytest.mark.django_db(transaction=True)
def test_the_files_of_the_demo_go_after_the_commit(as_admin, organisation, jpeg):
    from django.conf import settings

    from monitoring.models import Image
    from monitoring.services import NewImage, add_image, create_monitor, start_monitor

    demo = create_monitor(organisation, slug="demo-1", is_demo=True, by="demo")
    start_monitor(demo, by="demo")
    kept = Image.objects.get(key=add_image(NewImage(data=jpeg, monitor=demo)).key)
    as_admin.post(f"{MONITORS}remove_demo/")
    assert not (settings.MEDIA_ROOT / kept.file_path).exists()
    assert not (settings.MEDIA_ROOT / kept.thumbnail_path).exists()


def test_devices_are_attached_to_a_monitor_and_go_along_into_its_sessions(as_admin, monitor, refused):
    device = as_admin.post("/api/v1/devices/", {"name": "Top", "type": "camera"}).json()["key"]
    url = f"{MONITORS}cam-1/devices/"
    assert as_admin.post(url, {"device": device}).status_code == 201
    assert as_admin.post(url, {"device": device}).status_code == 201
    assert [row["key"] for row in as_admin.get(url).json()["results"]] == [device]
    assert as_admin.post(f"{MONITORS}cam-1/start/").json()["devices"] == [device]
    refused(as_admin.post(url, {"device": "dv_" + "0" * 26}), 400, "unknown_device")
    assert as_admin.delete(f"{url}{device}/").status_code == 204
    refused(as_admin.delete(f"{url}{device}/"), 404, "not_found")


def test_the_list_of_monitors_takes_the_same_number_of_queries_for_one_and_for_many(
    as_viewer, organisation, django_assert_num_queries
):
    from monitoring.services import create_dataset, create_monitor, start_monitor

    dataset = create_dataset(organisation, name="Plates", by="test")

    def make(count: int) -> None:
        for _ in range(count):
            number = Monitor.objects.count()
            made = create_monitor(organisation, slug=f"line-{number}", dataset=dataset, by="test")
            start_monitor(made, by="test")

    make(1)
    with django_assert_num_queries(4):  # login session, user, memberships, monitors
        as_viewer.get(MONITORS)
    make(9)
    with django_assert_num_queries(4):
        assert len(as_viewer.get(MONITORS).json()["results"]) == 10
