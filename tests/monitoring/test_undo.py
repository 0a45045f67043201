"""Undo and redo: new edits that take the caller's own last one back, and never another person's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.messages import tag_json
from monitoring.models import Image, Tag, TagChange
from monitoring.services import (
    RevisionMismatch,
    add_tag,
    change_image,
    change_tag,
    delete_image,
    delete_tag,
    redo,
    reopen_review,
    replace_tags,
    restore_tag,
    undo,
)
from monitoring.services.errors import NothingToUndo, ReviewEnded, TagTaken, TermOver
from monitoring.services.tags import ImageDeleted
from sessionsite.common.errors import Missing, NotAllowed
from sessionsite.common.ids import new_key
from tests.monitoring.test_tags import BOX, check_history

OTHER_BOX = {"x": 0.5, "y": 0.5, "w": 0.25, "h": 0.25}


def shown(image) -> list[tuple]:
    tags = Tag.objects.filter(image=image).order_by("key")
    return [(tag.key, tag.label, tag.x_frac, tag.y_frac, tag.w_frac, tag.h_frac) for tag in tags]


def test_an_added_box_goes_and_comes_back_with_its_key(image):
    tag = add_tag(image, label="dent", **BOX, by="ann")
    undo(image, by="ann")
    assert shown(image) == []
    redo(image, by="ann")
    again = Tag.objects.get(key=tag.key)
    assert (again.label, again.author) == ("dent", "ann")
    assert again.revision > tag.revision  # nobody's If-Match of before fits it
    check_history(image)


def test_a_deleted_box_is_there_again_as_it_was(image):
    tag = add_tag(image, label="dent", **BOX, by="camera", source="device")
    delete_tag(tag, revision=1, by="ann")
    undo(image, by="ann")
    again = Tag.objects.get(key=tag.key)
    assert (again.label, again.author, again.source) == ("dent", "camera", "device")
    last = TagChange.objects.filter(image=image).last()
    assert (last.verb, last.author, last.act) == ("added", "ann", "undo")
    check_history(image)


def test_a_replacement_of_many_boxes_is_one_edit(image):
    replace_tags(image, tags=[{"label": "a", **BOX}, {"label": "b", **OTHER_BOX}], by="ann")
    before = shown(image)
    replace_tags(image, tags=[{"label": "a", **BOX}, {"label": "c", **BOX}], by="ann")
    after = shown(image)
    undo(image, by="ann")
    assert shown(image) == before
    redo(image, by="ann")
    assert shown(image) == after
    check_history(image)


def test_each_person_takes_back_their_own(image):
    add_tag(image, label="ann's", **BOX, by="ann")
    add_tag(image, label="bob's", **OTHER_BOX, by="bob")
    undo(image, by="ann")
    assert [tag.label for tag in Tag.objects.all()] == ["bob's"]
    with pytest.raises(NothingToUndo):
        undo(image, by="ann")
    with pytest.raises(NothingToUndo):
        redo(image, by="bob")
    with pytest.raises(NothingToUndo):
        undo(image, by="nobody")


@pytest.mark.parametrize("meanwhile", ["changed", "deleted"])
def test_what_somebody_changed_since_stays_and_both_sides_are_shown(image, meanwhile):
    tag = add_tag(image, label="dent", **BOX, by="ann")
    tag = change_tag(tag, revision=1, by="ann", label="hole")
    if meanwhile == "changed":
        change_tag(tag, revision=2, by="bob", label="scratch")
    else:
        delete_tag(tag, revision=2, by="bob")
    before = shown(image)
    with pytest.raises(RevisionMismatch) as caught:
        undo(image, by="ann")
    assert caught.value.details["yours"]["label"] == "dent"
    current = caught.value.details["current"]
    assert current is None if meanwhile == "deleted" else current["label"] == "scratch"
    assert shown(image) == before
    check_history(image)


def test_a_new_edit_forgets_what_could_be_redone(image):
    add_tag(image, label="a", **BOX, by="ann")
    undo(image, by="ann")
    add_tag(image, label="b", **BOX, by="ann")
    with pytest.raises(NothingToUndo):
        redo(image, by="ann")
    undo(image, by="ann")
    redo(image, by="ann")
    assert [tag.label for tag in Tag.objects.all()] == ["b"]


def test_label_and_review_are_taken_back_too(image, session):
    change_image(image, by="ann", label="OK")
    change_image(image, by="ann", review="accepted", review_comment="fine")
    image = undo(image, by="ann")
    assert (image.review, image.review_comment, image.reviewed_by, image.reviewed_at) == (
        "unreviewed",
        "",
        "",
        None,
    )
    image = undo(image, by="ann")
    assert image.label == ""
    image = redo(image, by="ann")
    assert image.label == "OK"
    assert session.events.order_by("-seq").first().detail["act"] == "redo"
    with pytest.raises(NotAllowed):
        redo(image, by="ann", may_review=False)


def test_an_edit_of_an_older_version_is_not_taken_back(image):
    add_tag(image, label="a", **BOX, by="ann")
    add_tag(image, label="b", **BOX, by="bob")
    with pytest.raises(RevisionMismatch):
        undo(image, by="ann", revision=2)
    undo(image, by="ann", revision=3)
    assert [tag.label for tag in Tag.objects.all()] == ["b"]


def test_an_ended_review_is_read_only_until_it_is_reopened(image):
    tag = add_tag(image, label="dent", **BOX, by="ann")
    change_image(image, by="rita", review="accepted")
    edits = (
        lambda: add_tag(image, label="b", **BOX, by="ann"),
        lambda: change_tag(tag, revision=1, by="ann", label="hole"),
        lambda: delete_tag(tag, revision=1, by="ann"),
        lambda: replace_tags(image, tags=[], by="ann"),
        lambda: undo(image, by="ann"),
        lambda: restore_tag(image, tag.key, by="ann"),
        lambda: change_image(image, by="ann", label="OK"),
        lambda: delete_image(image, by="ann"),
    )
    for edit in edits:
        with pytest.raises(ReviewEnded) as caught:
            edit()
        assert caught.value.details == {"image": image.key, "review": "accepted"}
    assert change_image(image, by="eve", split="train").split == "train"
    assert reopen_review(image, by="rita").review == "unreviewed"
    assert reopen_review(image, by="rita").revision == Image.objects.get().revision
    undo(image, by="ann")
    assert shown(image) == []


def test_another_mark_reopens_and_takes_a_label_along(image):
    change_image(image, by="rita", review="rejected")
    image = change_image(image, by="rita", review="doubtful", label="dent?")
    assert (image.review, image.label) == ("doubtful", "dent?")


def test_a_deleted_box_is_restorable_by_anybody_for_a_set_time(image, settings):
    tag = add_tag(image, label="dent", **BOX, by="ann")
    delete_tag(tag, revision=1, by="ann")
    again = restore_tag(image, tag.key, by="bob")
    assert tag_json(again, image.key)["label"] == "dent"
    assert restore_tag(image, tag.key, by="bob").revision == again.revision
    check_history(image)
    delete_tag(again, revision=again.revision, by="ann")
    TagChange.objects.update(at=timezone.now() - timedelta(days=settings.DELETED_DAYS, seconds=1))
    with pytest.raises(TermOver):
        restore_tag(image, tag.key, by="bob")
    with pytest.raises(Missing):
        restore_tag(image, new_key("tg"), by="bob")
    settings.DELETED_DAYS = None
    assert restore_tag(image, tag.key, by="bob").key == tag.key


def test_a_deleted_picture_keeps_its_boxes_as_they_are(image):
    tag = add_tag(image, label="dent", **BOX, by="ann")
    delete_image(image, by="ann")
    with pytest.raises(ImageDeleted):
        undo(image, by="ann")
    assert Tag.objects.get() == tag


def test_a_box_with_a_key_is_added_once(image, monitor, session):
    key = new_key("tg")
    first = add_tag(image, key=key, label="dent", **BOX, by="ann")
    change_tag(first, revision=1, by="bob", label="hole")
    again = add_tag(image, key=key, label="dent", **BOX, by="ann")
    assert (again.pk, again.label) == (first.pk, "hole")
    delete_tag(again, revision=2, by="ann")
    with pytest.raises(TagTaken):
        add_tag(image, key=key, label="dent", **BOX, by="ann")
    assert Tag.objects.count() == 0


ACTS = st.sampled_from(["add", "change", "delete", "undo", "redo", "label"])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.tuples(ACTS, st.sampled_from(["ann", "bob"])), max_size=14))
def test_after_any_edits_undo_all_and_redo_all_lead_back(image, acts):
    for act, by in acts:
        tags = list(Tag.objects.filter(image=image).order_by("pk"))
        try:
            if act == "add":
                add_tag(image, label=f"{by} {len(tags)}", **BOX, by=by)
            elif act == "change" and tags:
                change_tag(tags[-1], revision=tags[-1].revision, by=by, label=tags[-1].label + "!")
            elif act == "delete" and tags:
                delete_tag(tags[0], revision=tags[0].revision, by=by)
            elif act == "label":
                change_image(image, by=by, label=f"{by} {len(tags)}")
            elif act in ("undo", "redo"):
                {"undo": undo, "redo": redo}[act](image, by=by)
        except (NothingToUndo, RevisionMismatch):
            continue
    check_history(image)
    end, count = (shown(image), Image.objects.get(pk=image.pk).label), 0
    try:
        while True:
            undo(image, by="ann")
            count += 1
    except (NothingToUndo, RevisionMismatch):
        check_history(image)
    for _ in range(count):
        redo(image, by="ann")
    assert (shown(image), Image.objects.get(pk=image.pk).label) == end
    check_history(image)
