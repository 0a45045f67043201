"""Lists as CSV: the rows of the list with its filters, safe for spreadsheets, in constant memory."""

import csv
import io
import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring.models import Image
from monitoring.services import NewImage, add_image, add_tag, stop_monitor
from sessions_app.models import Session
from sessions_app.services import mark
from sessionsite.common.api import pagination
from sessionsite.common.clock import now, parse_iso
from sessionsite.common.csv import cell
from tests.pictures import picture

LISTS = ("sessions", "events", "images", "tags")


def table(client, path: str) -> list[dict[str, str]]:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def boxed(monitor, session) -> Image:
    new = NewImage(data=picture(3), monitor=monitor, name="=1+1.jpg", label="dent")
    image = Image.objects.get(key=add_image(new).key)
    add_tag(image, label="scratch", x=0.1, y=0.2, w=0.3, h=0.4, by="ann")
    return image


@pytest.mark.parametrize("name", LISTS)
def test_a_list_as_csv_is_an_attachment_of_that_name(as_viewer, boxed, name):
    answer = as_viewer.get(f"/api/v1/{name}/csv/", HTTP_ACCEPT="text/csv")
    assert answer.status_code == 200 and answer.streaming
    assert answer["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    assert b"".join(answer.streaming_content).count(b"\r\n") >= 2


def test_a_session_is_one_line_with_its_times_in_utc(as_viewer, session, boxed):
    stop_monitor(session.monitor, by="ann", reason="shift over")
    [row] = table(as_viewer, "sessions/csv/")
    shown = as_viewer.get(f"/api/v1/sessions/{session.key}/").json()
    for name in ("key", "state", "end_reason", "started_at", "stopped_at", "started_by", "monitor"):
        assert row[name] == shown[name], name
    assert row["total_counter"] == "1" and row["labels"] == '{"dent":1}'
    assert row["started_at"].endswith("Z")
    lasted = parse_iso(row["stopped_at"]) - parse_iso(row["started_at"])
    assert float(row["duration_s"]) == pytest.approx(lasted.total_seconds(), abs=0.002)


def test_pictures_and_boxes_are_a_line_each(as_viewer, boxed):
    [row] = table(as_viewer, "images/csv/")
    assert (row["key"], row["label"], row["boxes"]) == (boxed.key, "dent", "1")
    [box] = table(as_viewer, "tags/csv/")
    assert (box["image"], box["label"], box["author"]) == (boxed.key, "scratch", "ann")
    assert [float(box[side]) for side in "xywh"] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_events_are_a_line_each_with_their_detail_as_json(as_viewer, session):
    mark(session, label="@now", by="ann", severity="warning")
    marker, started = table(as_viewer, "events/csv/")
    assert (marker["kind"], marker["by"], marker["severity"]) == ("marker", "ann", "warning")
    assert '"label":"@now"' in marker["detail"] and started["seq"] == "1"


@pytest.mark.parametrize(
    "name, query, count",
    [
        ("images", "label=dent", 1),
        ("images", "label=none", 0),
        ("images", "session=se_x", 0),
        ("tags", "tag=scratch", 1),
        ("tags", "monitor=cam-1", 1),
        ("tags", "monitor=cam-2", 0),
        ("sessions", "state=active", 1),
        ("sessions", "state=completed", 0),
        ("events", "kind=started", 1),
        ("events", "severity=error", 0),
    ],
)
def test_the_filters_are_those_of_the_list(as_viewer, boxed, name, query, count):
    assert len(table(as_viewer, f"{name}/csv/?{query}")) == count


@pytest.mark.parametrize("query", ["state=nice", "limit=5", "cursor=x", "bm=true", "bom=true&bom=true"])
def test_a_parameter_that_means_nothing_here_is_refused(as_viewer, session, query, refused):
    refused(as_viewer.get(f"/api/v1/sessions/csv/?{query}"), 400, "invalid")


def test_what_belongs_to_others_is_not_in_it(as_stranger, boxed):
    assert [table(as_stranger, f"{name}/csv/") for name in LISTS] == [[], [], [], []]


def test_the_byte_order_mark_is_a_choice(as_viewer, session):
    def start(query: str) -> bytes:
        return b"".join(as_viewer.get(f"/api/v1/sessions/csv/?{query}").streaming_content)[:6]

    assert start("") == start("bom=false") == b"key,na"
    assert start("bom=true") == b"\xef\xbb\xbfkey"


def test_no_cell_is_a_formula(as_operator, session, boxed):
    as_operator.patch(
        f"/api/v1/sessions/{session.key}/", {"name": "=cmd|' /C calc'!A0", "notes": " @SUM(1)\nz"}
    )
    [row] = table(as_operator, "sessions/csv/")
    assert row["name"] == "'=cmd|' /C calc'!A0" and row["notes"] == "' @SUM(1)\nz"
    assert table(as_operator, "images/csv/")[0]["name"] == "'=1+1.jpg"


@pytest.mark.parametrize(
    "value, shown",
    [("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("\tx", "'\tx"), ("\rx", "'\rx"),
     ("＝1", "'＝1"), (-1, -1), (0.5, 0.5), (None, ""), (True, "true"), ("a=b", "a=b"), (["=1"], '["=1"]')],
)  # fmt: skip
def test_numbers_stay_numbers_and_formulas_become_text(value, shown):
    assert cell(value) == shown


@pytest.fixture
def many(organisation, monkeypatch) -> list[str]:
    """Eleven sessions, some of the same moment, read in pieces of four."""
    monkeypatch.setattr(pagination, "ROWS_PER_QUERY", 4)
    moment = now()
    Session.objects.bulk_create(
        Session(organisation=organisation, started_at=moment - timedelta(hours=n // 4)) for n in range(11)
    )
    return list(Session.objects.order_by("-started_at", "-pk").values_list("key", flat=True))


def test_a_long_list_is_read_in_pieces_without_a_gap_or_repeat(as_viewer, many):
    assert [row["key"] for row in table(as_viewer, "sessions/csv/")] == many
    answer = as_viewer.get("/api/v1/sessions/csv/")
    with CaptureQueriesContext(connection) as queries:
        list(answer.streaming_content)
    reads = [query["sql"] for query in queries if 'FROM "sessions_app_session"' in query["sql"]]
    assert len(reads) == 3 and all("LIMIT 4" in sql for sql in reads)


def test_rows_that_come_meanwhile_repeat_nothing(as_viewer, many, organisation, monkeypatch):
    monkeypatch.setattr("sessionsite.common.csv.ROWS_AT_ONCE", 1)
    answer = as_viewer.get("/api/v1/sessions/csv/")
    pieces = iter(answer.streaming_content)
    text = next(pieces)
    Session.objects.create(organisation=organisation)
    text += b"".join(pieces)
    rows = csv.DictReader(io.StringIO(text.decode(), newline=""))
    assert [row["key"] for row in rows] == many


@pytest.mark.parametrize(
    "page, kept",
    [
        (
            "/sessions/?state=active&monitor=cam-1&started_after=2026-01-01",
            {"state": "active", "monitor": "cam-1"},
        ),
        ("/events/?level=warning", {"severity": "warning,error"}),
    ],
)
def test_the_link_on_a_page_gives_what_the_page_lists(client, viewer, session, page, kept):
    client.force_login(viewer)
    html = client.get(page).content.decode()
    [address] = re.findall(r'href="(/api/v1/\w+/csv/[^"]*)"', html)
    asked = dict(parse_qsl(urlsplit(unescape(address)).query))
    assert kept.items() <= asked.items() and asked["bom"] == "true"
    assert client.get(unescape(address)).status_code == 200
