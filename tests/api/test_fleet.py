"""The wall in one answer."""

from monitoring.services import create_monitor, start_monitor

FLEET = "/api/v1/fleet/"


def test_the_fleet_is_the_object_of_the_live_topic(as_viewer, organisation, monitor, image, time_machine):
    from monitoring.topics import FleetTopic

    time_machine.move_to(image.received_at, tick=False)
    ours, theirs = as_viewer.get(FLEET).json(), FleetTopic().snapshot("default").data
    for state in (ours, theirs):
        del state["disk"]["free_bytes"], state["disk"]["days_left"]  # other programs write as well
    assert ours == theirs
    assert ours["counts"] == {"running": 1, "late": 0, "lost": 0, "idle": 0, "error": 0}


def test_an_unknown_and_a_foreign_organisation_look_the_same(as_viewer, other_organisation, refused):
    foreign = as_viewer.get(f"{FLEET}?organisation=elsewhere")
    unknown = as_viewer.get(f"{FLEET}?organisation=nowhere")
    refused(foreign, 404, "not_found")
    assert foreign.json() == unknown.json()


def test_a_fleet_at_rest_is_304_and_a_start_is_not(as_viewer, monitor):
    first = as_viewer.get(FLEET)
    assert as_viewer.get(FLEET, headers={"If-None-Match": first["ETag"]}).status_code == 304
    assert as_viewer.get(FLEET, headers={"If-None-Match": f'"x", {first["ETag"]}'}).status_code == 304
    start_monitor(monitor, by="ann")
    assert as_viewer.get(FLEET, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_twenty_monitors_take_the_queries_of_one(as_viewer, organisation):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for count in (1, 19):
        for number in range(count):
            start_monitor(create_monitor(organisation, slug=f"line-{count}-{number}", by="test"), by="ann")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert as_viewer.get(FLEET).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14
