"""Notes of a session: a revision of their own, both sides at a clash, every text in the journal."""

import pytest

from monitoring.services import NewImage, add_image
from sessions_app.models import Session
from sessions_app.services import NotesMismatch, move, set_name_notes, set_notes
from tests.pictures import picture


@pytest.fixture
def url(session) -> str:
    return f"/api/v1/sessions/{session.key}/notes/"


@pytest.fixture
def ann(client, operator):
    client.force_login(operator)
    return client


def put(client, url: str, text: str, revision: int | str | None):
    headers = {} if revision is None else {"If-Match": f'"{revision}"' if revision != "*" else "*"}
    return client.put(url, {"text": text}, content_type="application/json", headers=headers)


def test_notes_are_written_with_their_author_and_time(ann, url, session):
    assert ann.get(url).json() == {"text": "", "revision": 0, "by": "", "at": None}
    answer = put(ann, url, "lamp 2\nflickers ", 0)
    assert answer.status_code == 200 and answer["ETag"] == '"1"'
    told = answer.json()
    assert (told["text"], told["revision"], told["by"]) == ("lamp 2\nflickers ", 1, "operator")
    assert told["at"].endswith("Z") and ann.get(url).json() == told
    shown = ann.get(f"/api/v1/sessions/{session.key}/").json()
    assert (shown["notes"], shown["notes_revision"], shown["notes_by"]) == (
        "lamp 2\nflickers ",
        1,
        "operator",
    )


def test_a_clash_shows_both_sides_and_changes_nothing(ann, url):
    put(ann, url, "theirs", 0)
    refused = put(ann, url, "mine", 0)
    assert (refused.status_code, refused.json()["code"]) == (412, "notes_mismatch")
    details = refused.json()["details"]
    assert details["yours"] == {"text": "mine", "revision": 0}
    assert (details["current"]["text"], details["current"]["revision"]) == ("theirs", 1)
    assert ann.get(url).json()["text"] == "theirs"
    assert put(ann, url, "mine after all", "*").json()["revision"] == 2


def test_pictures_do_not_make_notes_old(ann, url, monitor, session):
    put(ann, url, "before", 0)
    add_image(NewImage(data=picture(1), monitor=monitor))
    assert put(ann, url, "after", 1).json()["revision"] == 2


def test_who_names_no_revision_is_asked_for_one(ann, url):
    assert put(ann, url, "x", None).status_code == 428
    assert (
        ann.put(url, {"text": 5}, content_type="application/json", headers={"If-Match": "*"}).status_code
        == 400
    )
    long = {"text": "x" * 20_001}
    assert ann.put(url, long, content_type="application/json", headers={"If-Match": "*"}).status_code == 400


def test_the_journal_keeps_every_text_and_the_same_text_is_no_change(session):
    for text in ("a", "b", "b", "c"):
        set_notes(session, text, by="ann")
    entries = session.events.filter(kind="notes_changed").order_by("seq")
    assert [(entry.detail["before"], entry.detail["revision"]) for entry in entries] == [
        ("", 1), ("a", 2), ("b", 3),
    ]  # fmt: skip
    assert all(entry.detail["by"] == "ann" for entry in entries)


def test_a_change_by_name_and_notes_counts_as_well(session):
    set_name_notes(session, by="ann", name="Batch 7", notes="dusty")
    session.refresh_from_db()
    assert (session.notes_revision, session.notes_by) == (1, "ann")
    with pytest.raises(NotesMismatch):
        set_notes(session, "mine", by="bob", revision=0)


def test_notes_can_be_written_after_the_end(ann, url, session):
    Session.objects.filter(pk=session.pk).update(state="completed")
    assert put(ann, url, "what we saw", 0).status_code == 200


def test_a_session_in_error_is_told_as_an_error(session, client, viewer):
    move(session, "error", by="ann", reason="camera fault")
    client.force_login(viewer)
    [event] = client.get("/api/v1/events/?severity=error").json()["results"]
    assert (event["kind"], event["severity"]) == ("moved", "error")
