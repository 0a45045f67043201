"""Reviews: marks with who and when, many at once with a preview and an undo, and counts that follow."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.models import Image, Monitor, TagChange
from monitoring.services import (
    NewImage,
    add_image,
    change_image,
    delete_image,
    preview_review,
    reopen_review,
    restore_image,
    review_many,
    undo_review,
)
from monitoring.services import review as reviews
from monitoring.services.errors import BadReview, TooManyPictures
from monitoring.state import fleet_state, monitor_state
from sessions_app.messages import session_json
from sessions_app.models import Session
from sessionsite.accounts.models import AuditEntry
from tests.pictures import picture


@pytest.fixture
def images(monitor, session):
    """Five pictures of the running session, oldest first."""
    keys = [add_image(NewImage(data=picture(n), monitor=monitor, label="AB"[n % 2])).key for n in range(5)]
    for number, key in enumerate(keys):
        Image.objects.filter(key=key).update(received_at=timezone.now() - timedelta(minutes=5 - number))
    return [Image.objects.get(key=key) for key in keys]


def marks(session) -> dict[str, int]:
    return session_json(Session.objects.for_messages().get(pk=session.pk))["reviews"]


def test_a_mark_has_who_when_and_why(image):
    image = change_image(image, by="rita", review="doubtful", review_comment=" a reflection? ")
    assert (image.review_comment, image.reviewed_by) == ("a reflection?", "rita")
    assert image.reviewed_at is not None
    image = reopen_review(image, by="rita")
    assert image.review == "doubtful"  # it had not ended
    image = change_image(image, by="rita", review="accepted")
    image = reopen_review(image, by="bob")
    assert (image.review, image.reviewed_by, image.reviewed_at) == ("unreviewed", "", None)
    with pytest.raises(BadReview):
        change_image(image, by="rita", review_comment="x" * 501)


def test_marks_are_counted_where_the_pictures_are_seen(images, session, monitor, organisation):
    change_image(images[0], by="rita", review="doubtful")
    change_image(images[1], by="rita", review="accepted")
    assert marks(session) == {"unreviewed": 3, "doubtful": 1, "accepted": 1}
    shown = monitor_state(Monitor.objects.for_messages().get())
    assert shown["reviews"] == {"unreviewed": 3, "doubtful": 1, "accepted": 1}
    assert fleet_state(organisation)["doubtful"] == 1
    delete_image(images[0], by="ann")
    assert marks(session) == {"unreviewed": 3, "accepted": 1}
    change_image(images[0], by="rita", review="rejected")
    restore_image(images[0], by="ann")
    assert marks(session) == {"unreviewed": 3, "accepted": 1, "rejected": 1}


def test_the_wall_hears_of_doubtful_pictures(image, published, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        change_image(image, by="rita", review="doubtful")
    assert {"fleet:default", "monitor:cam-1", f"image:{image.key}"} <= set(published)
    published.clear()
    with django_capture_on_commit_callbacks(execute=True):
        change_image(image, by="rita", review="accepted")
    assert "fleet:default" in published


def test_a_preview_says_what_would_happen_and_does_nothing(images):
    change_image(images[4], by="rita", review="accepted")
    found = preview_review(Image.objects.all(), "accepted")
    assert (found.matched, found.changes, found.is_too_many) == (5, 4, False)
    assert found.by_review == {"unreviewed": 4, "accepted": 1}
    assert (found.by_label, found.by_monitor) == ({"A": 3, "B": 2}, {"cam-1": 5})
    assert found.upto == images[4].received_at
    assert Image.objects.filter(review="accepted").count() == 1
    with pytest.raises(BadReview):
        preview_review(Image.objects.all(), "perhaps")


def test_many_are_marked_at_once_with_their_history(images, session, monitor):
    before, revision = session.events.count(), Monitor.objects.get().revision
    done = review_many(Image.objects.filter(label="A"), review="accepted", comment="batch 7", by="rita")
    assert (done.changed, done.skipped) == (3, 0)
    assert marks(session) == {"unreviewed": 2, "accepted": 3}
    assert {i.review_comment for i in Image.objects.filter(review="accepted")} == {"batch 7"}
    rows = TagChange.objects.filter(batch=done.batch)
    assert {row.image_revision for row in rows} == {2} and rows.count() == 3
    assert {i.revision for i in Image.objects.filter(label="A")} == {2}
    assert session.events.count() == before + 1
    entry = session.events.order_by("-seq").first()
    assert (entry.kind, entry.detail["count"], entry.detail["reviews"]) == (
        "images_reviewed",
        3,
        {"accepted": 3},
    )
    assert Monitor.objects.get().revision > revision
    assert review_many(Image.objects.filter(label="A"), review="accepted", by="rita").changed == 0


def test_pictures_that_came_after_the_preview_stay_out(images):
    found = preview_review(Image.objects.filter(pk__lte=images[2].pk), "rejected")
    review_many(Image.objects.all(), review="rejected", upto=found.upto, by="rita")
    assert list(Image.objects.order_by("pk").values_list("review", flat=True)) == [
        *["rejected"] * 3,
        *["unreviewed"] * 2,
    ]


def test_a_bulk_review_is_taken_back_where_nobody_came_after(images, session):
    change_image(images[0], by="rita", review="doubtful", review_comment="hm")
    done = review_many(Image.objects.all(), review="accepted", by="rita")
    change_image(images[4], by="bob", review="rejected")
    undone = undo_review(TagChange.objects.all(), done.batch, by="rita")
    assert (undone.changed, undone.skipped) == (4, 1)
    assert marks(session) == {"unreviewed": 3, "doubtful": 1, "rejected": 1}
    first = Image.objects.get(pk=images[0].pk)
    assert (first.review, first.review_comment, first.reviewed_by) == ("doubtful", "hm", "rita")
    again = undo_review(TagChange.objects.all(), done.batch, by="rita")
    assert again.changed == 0
    assert session.events.order_by("-seq").first().detail["act"] == "undo"


def test_a_bulk_review_is_taken_back_once_also_when_another_one_says_the_same(images, session):
    first = review_many(Image.objects.all(), review="accepted", by="rita")
    assert undo_review(TagChange.objects.all(), first.batch, by="rita").changed == 5
    review_many(Image.objects.all(), review="accepted", by="rita")
    assert undo_review(TagChange.objects.all(), first.batch, by="rita").changed == 0
    assert marks(session) == {"unreviewed": 0, "accepted": 5}


def test_chunks_make_no_difference(images, session, monkeypatch):
    monkeypatch.setattr(reviews, "CHUNK", 2)
    done = review_many(Image.objects.all(), review="doubtful", by="rita")
    assert done.changed == 5 and marks(session) == {"unreviewed": 0, "doubtful": 5}
    assert undo_review(TagChange.objects.all(), done.batch, by="rita").changed == 5
    assert marks(session) == {"unreviewed": 5}


def test_too_many_are_refused_and_none_is_changed(images, monkeypatch):
    monkeypatch.setattr(reviews, "REVIEW_MAX", 4)
    assert preview_review(Image.objects.all(), "accepted").is_too_many
    with pytest.raises(TooManyPictures):
        review_many(Image.objects.all(), review="accepted", by="rita")
    assert not Image.objects.exclude(review="unreviewed").exists()


def test_pictures_of_no_session_are_audited(images, organisation):
    Image.objects.update(session=None)
    review_many(Image.objects.all(), review="accepted", by="rita")
    entry = AuditEntry.objects.get(verb="images_reviewed")
    assert (entry.actor, entry.after["count"]) == ("rita", 5)
