"""What people say of a picture: label, review, split, deleted and restored; counted, journalled, shown."""

from __future__ import annotations

import pytest

from monitoring.boxes import BadTag
from monitoring.models import Image, Monitor
from monitoring.services import (
    NewImage,
    RevisionMismatch,
    add_image,
    add_tag,
    change_image,
    delete_image,
    restore_image,
)
from monitoring.services.errors import BadReview
from sessions_app.messages import session_json
from sessions_app.models import LabelCount, Session
from sessionsite.accounts.models import AuditEntry
from tests.pictures import picture


def labels(session, of: str = LabelCount.IMAGE) -> dict[str, int]:
    rows = LabelCount.objects.filter(session=session, of=of, count__gt=0)
    return dict(rows.values_list("label", "count"))


def shown(session) -> dict:
    return session_json(Session.objects.for_messages().get(pk=session.pk))


def test_a_new_label_moves_the_counts_and_is_journalled(image, session):
    image = change_image(image, by="ann", label=" OK ")
    image = change_image(image, by="bob", label="DEFECT", review="accepted", split="train")
    assert (image.label, image.review, image.split, image.revision) == ("DEFECT", "accepted", "train", 3)
    assert labels(session) == {"DEFECT": 1}
    entry = session.events.order_by("-seq").first()
    assert (entry.kind, entry.detail) == (
        "image_changed",
        {
            "image": image.key,
            "name": "first.jpg",
            "revision": 3,
            "before": {"label": "OK", "review": "unreviewed", "split": "", "reviewed_by": ""},
            "after": {"label": "DEFECT", "review": "accepted", "split": "train", "reviewed_by": "bob"},
            "by": "bob",
        },
    )


def test_saying_the_same_again_changes_nothing(image, session):
    change_image(image, by="ann", label="OK")
    before = shown(session)
    assert change_image(image, by="bob", label="OK").revision == 2
    assert shown(session) == before


def test_a_label_can_be_taken_away(image, session):
    change_image(image, by="ann", label="OK")
    assert change_image(image, by="ann", label="").label == ""
    assert labels(session) == {}


@pytest.mark.parametrize(
    ("words", "error"),
    [({"label": "x" * 101}, BadTag), ({"review": "perhaps"}, BadReview), ({"split": "exam"}, BadReview)],
)
def test_words_that_make_no_sense_are_refused(image, words, error):
    with pytest.raises(error):
        change_image(image, by="ann", **words)
    image.refresh_from_db()
    assert image.revision == 1


def test_a_change_of_an_older_version_shows_both_sides(image):
    change_image(image, by="ann", label="OK")
    add_tag(image, label="scratch", x=0.1, y=0.1, w=0.2, h=0.2, by="ann")
    with pytest.raises(RevisionMismatch) as caught:
        change_image(image, by="bob", label="DEFECT", revision=1)
    assert caught.value.status == 412
    assert caught.value.details["yours"] == {"revision": 1, "label": "DEFECT"}
    current = caught.value.details["current"]
    assert (current["revision"], current["label"], len(current["tags"])) == (3, "OK", 1)
    assert change_image(image, by="bob", label="DEFECT", revision=3).label == "DEFECT"


def test_every_edit_moves_what_session_and_monitor_show(image, session, monitor):
    for edit in (
        lambda: change_image(image, by="ann", label="OK"),
        lambda: delete_image(image, by="ann"),
        lambda: restore_image(image, by="ann"),
        lambda: add_tag(image, label="scratch", x=0, y=0, w=1, h=1, by="ann"),
    ):
        before, monitor_before = shown(session), Monitor.objects.get().revision
        edit()
        after = shown(session)
        assert after["revision"] > before["revision"] and after["last_seq"] == before["last_seq"] + 1
        assert Monitor.objects.get().revision > monitor_before


def test_an_edit_is_told_to_session_and_monitor(
    image, session, published, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        change_image(image, by="ann", label="OK")
        assert published == []
    assert published == [f"session:{session.key}", f"image:{image.key}", "monitor:cam-1"]


def test_a_deleted_picture_is_out_of_every_count_but_the_total(image, session):
    change_image(image, by="ann", label="OK")
    add_tag(image, label="scratch", x=0, y=0, w=1, h=1, by="ann")
    delete_image(image, by="ann")
    now = shown(session)
    assert (now["total_counter"], now["image_count"], now["labels"], now["tag_counts"]) == (1, 0, {}, {})
    change_image(image, by="ann", label="DEFECT")
    restore_image(image, by="ann")
    now = shown(session)
    assert (now["image_count"], now["labels"], now["tag_counts"]) == (1, {"DEFECT": 1}, {"scratch": 1})


def test_deleting_twice_is_one_deletion(image, session):
    first = delete_image(image, by="ann")
    again = delete_image(image, by="bob")
    assert again.deleted_at == first.deleted_at and again.revision == first.revision
    assert session.events.filter(kind="image_deleted").count() == 1


def test_the_monitor_shows_the_newest_picture_that_is_left(monitor, image):
    newer = Image.objects.get(key=add_image(NewImage(data=picture(2), monitor=monitor)).key)
    delete_image(image, by="ann")
    assert Monitor.objects.get().last_image == newer
    delete_image(newer, by="ann")
    assert Monitor.objects.get().last_image is None
    restore_image(image, by="ann")
    assert Monitor.objects.get().last_image == image
    restore_image(newer, by="ann")
    assert Monitor.objects.get().last_image == newer


def test_a_change_outside_any_session_is_audited(image):
    Image.objects.filter(pk=image.pk).update(session=None)
    image.refresh_from_db()
    delete_image(image, by="ann")
    entry = AuditEntry.objects.get(object_type="image")
    assert (entry.verb, entry.object_key, entry.actor) == ("image_deleted", image.key, "ann")
