"""Lists and single reads take rows of values: they say what the models' JSON and the schema say."""

import pytest

from devices.models import Device
from monitoring.api.serializers import ImageSerializer, MonitorSerializer, TagSerializer
from monitoring.messages import IMAGE_ROW, image_json
from monitoring.models import Image, Monitor
from monitoring.services import add_tag, change_image
from monitoring.state import STATE_ROW, monitor_state
from sessions_app import services as sessions
from sessions_app.api.serializers import EventSerializer, SessionSerializer
from sessions_app.messages import SESSION_ROW, session_json
from sessions_app.models import Session
from sessionsite.common.rows import row_of, rows_of

BOXES = [
    {"label": "dent", "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4},
    {"label": "crack", "x": 0, "y": 0, "w": 1, "h": 1},
]


@pytest.fixture
def full(image, organisation) -> Image:
    """A picture of a running session in which every relation and count says something."""
    for box in BOXES:
        add_tag(image, by="ann", **box)
    image.refresh_from_db()
    change_image(image, by="ann", label="bad", review="doubtful", review_comment="look", split="test")
    for name in ("zoe", "amy"):
        device = Device.objects.create(organisation=organisation, name=name)
        sessions.attach_device(image.session, device, by="ann")
    sessions.set_name_notes(image.session, by="ann", notes="a note")
    return Image.objects.for_messages().get(pk=image.pk)


@pytest.fixture
def bare(organisation) -> Session:
    """A session without a monitor, a device or a picture."""
    return sessions.start_annotation(organisation, by="ann", name="bare", idle_ttl_s=60, elcor=False)


def test_a_list_of_sessions_says_of_each_what_its_model_says(full, bare, as_viewer):
    listed = as_viewer.get("/api/v1/sessions/").json()["results"]
    models = [Session.objects.for_messages().get(key=row["key"]) for row in listed]
    assert listed == [session_json(model) for model in models] and len(listed) == 2
    for row in listed:
        assert as_viewer.get(f"/api/v1/sessions/{row['key']}/").json() == row
    [seen] = [row for row in listed if row["monitor"]]
    assert (seen["labels"], seen["tag_counts"]) == ({"bad": 1}, {"crack": 1, "dent": 1})
    amy, zoe = Device.objects.order_by("name").values_list("key", flat=True)
    assert seen["devices"] == [amy, zoe]


def test_a_list_of_pictures_says_of_each_what_its_model_says(full, as_viewer):
    for path in ("images/", f"monitors/{full.monitor.slug}/images/", f"sessions/{full.session.key}/images/"):
        assert as_viewer.get(f"/api/v1/{path}").json()["results"] == [image_json(full)]
    assert as_viewer.get(f"/api/v1/images/{full.key}/").json() == image_json(full)
    assert [tag["label"] for tag in image_json(full)["tags"]] == ["dent", "crack"]


def test_the_wall_says_of_each_monitor_what_its_own_state_says(full, as_viewer):
    [seen] = as_viewer.get("/api/v1/fleet/").json()["monitors"]
    alone = monitor_state(Monitor.objects.for_messages().get(pk=full.monitor_id))
    assert seen | {"at": None, "flow": None} == alone | {"at": None, "flow": None}
    assert seen["last_image"] == image_json(full) and seen["labels"] == {"bad": 1}


@pytest.mark.parametrize(
    ("path", "serializer"),
    [("sessions", SessionSerializer), ("images", ImageSerializer), ("monitors", MonitorSerializer),
     ("events", EventSerializer)],
)  # fmt: skip
def test_a_row_has_the_fields_of_the_schema(full, as_viewer, path, serializer):
    row = as_viewer.get(f"/api/v1/{path}/").json()["results"][0]
    assert set(row) == set(serializer().fields)
    for tag in row.get("tags", ()):
        assert set(tag) == set(TagSerializer().fields)


@pytest.mark.parametrize(
    ("model", "columns"), [(Session, SESSION_ROW), (Image, IMAGE_ROW), (Monitor, STATE_ROW)]
)
def test_the_row_of_a_model_is_the_row_of_the_query(full, bare, monitor, model, columns):
    for obj in model.objects.for_messages():
        [row] = rows_of(model.objects.for_messages().filter(pk=obj.pk), columns)
        assert row_of(obj, columns) == row


@pytest.mark.parametrize("path", ["sessions/", "images/", "monitors/", "fleet/"])
def test_a_list_takes_as_many_queries_for_one_as_for_several(
    path, full, monitor, organisation, as_viewer, request
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert as_viewer.get(f"/api/v1/{path}").status_code == 200
        return len(found)

    as_viewer.get(f"/api/v1/{path}")  # the first use of a credential is written down
    once = queries()
    request.getfixturevalue("bare")
    assert queries() == once
