"""Boxes on pictures: every edit is a row of its own, and of two editors the second sees both sides."""

from __future__ import annotations

import threading

import pytest
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.boxes import BadTag
from monitoring.messages import tag_json
from monitoring.models import Image, Tag, TagChange
from monitoring.services import (
    RevisionMismatch,
    add_tag,
    change_tag,
    delete_image,
    delete_tag,
    replace_tags,
    tags,
)
from monitoring.services.tags import ImageDeleted, TooManyTags
from sessions_app.models import LabelCount

BOX = {"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}


def replayed(image) -> dict[str, dict]:
    """The tags that the history gives, read from its first row to its last."""
    found: dict[str, dict] = {}
    for change in TagChange.objects.of_boxes().filter(image=image).order_by("pk"):
        if change.before:
            assert {**found.pop(change.tag_key)} == change.before
        if change.after:
            found[change.tag_key] = change.after
    return found


def check_history(image) -> None:
    now = {tag.key: tag_json(tag, image.key) for tag in Tag.objects.filter(image=image)}
    assert replayed(image) == now
    counted = LabelCount.objects.filter(session=image.session_id, of=LabelCount.BOX, count__gt=0)
    labels: dict[str, int] = {}
    for tag in now.values():
        labels[tag["label"]] = labels.get(tag["label"], 0) + 1
    assert dict(counted.values_list("label", "count")) == labels
    revisions = list(TagChange.objects.filter(image=image).values_list("image_revision", flat=True))
    assert revisions == sorted(revisions)
    assert not revisions or revisions[-1] <= Image.objects.get(pk=image.pk).revision


def test_a_box_is_added_changed_and_deleted_with_its_history(image, session):
    tag = add_tag(image, label=" scratch ", **BOX, by="ann")
    assert (tag.label, tag.author, tag.source, tag.revision) == ("scratch", "ann", "operator", 1)
    tag = change_tag(tag, revision=1, by="bob", label="dent", w=0.5)
    assert (tag.label, tag.w_frac, tag.x_frac, tag.author, tag.revision) == ("dent", 0.5, 0.1, "bob", 2)
    check_history(image)
    delete_tag(tag, revision=2, by="ann")
    check_history(image)
    verbs = list(TagChange.objects.values_list("verb", "author", "image_revision"))
    assert verbs == [("added", "ann", 2), ("changed", "bob", 3), ("deleted", "ann", 4)]
    entry = session.events.order_by("-seq").first()
    assert (entry.kind, entry.detail["revision"], entry.detail["count"]) == ("tags_changed", 4, 1)
    assert entry.detail["changes"][0]["before"]["label"] == "dent"


@pytest.mark.parametrize(
    "box",
    [
        {"x": -0.1},
        {"w": 0},
        {"w": 0.95},
        {"h": float("nan")},
        {"y": "0.2"},
        {"x": True},
        {"label": ""},
        {"label": "a\nb"},
        {"label": 7},
    ],
    ids=str,
)
def test_a_box_that_cannot_be_drawn_is_refused(image, box):
    with pytest.raises(BadTag):
        add_tag(image, **({"label": "scratch"} | BOX | box), by="ann")
    tag = add_tag(image, label="scratch", **BOX, by="ann")
    with pytest.raises(BadTag):
        change_tag(tag, revision=1, by="ann", **box)
    with pytest.raises(BadTag):
        replace_tags(image, tags=[{"label": "good", **BOX}, {"label": "scratch"} | BOX | box], by="ann")
    assert Tag.objects.get() == tag
    check_history(image)


def test_a_field_that_a_box_lacks_is_refused(image):
    tag = add_tag(image, label="scratch", **BOX, by="ann")
    with pytest.raises(BadTag):
        change_tag(tag, revision=1, by="ann", colour="red")


def test_a_change_of_an_older_box_shows_both_sides(image):
    tag = add_tag(image, label="scratch", **BOX, by="ann")
    change_tag(tag, revision=1, by="ann", label="dent")
    for edit in (
        lambda: change_tag(tag, revision=1, by="bob", label="hole"),
        lambda: delete_tag(tag, revision=1, by="bob"),
    ):
        with pytest.raises(RevisionMismatch) as caught:
            edit()
        assert caught.value.details["yours"]["revision"] == 1
        assert caught.value.details["current"]["label"] == "dent"
        assert caught.value.details["current"]["revision"] == 2
    check_history(image)


def test_a_change_of_a_box_that_is_gone_shows_that_too(image):
    tag = add_tag(image, label="scratch", **BOX, by="ann")
    seen = Tag.objects.get()
    delete_tag(tag, revision=1, by="ann")
    with pytest.raises(RevisionMismatch) as caught:
        change_tag(seen, revision=1, by="bob", label="dent")
    assert caught.value.details == {"yours": {"revision": 1, "label": "dent"}, "current": None}


def test_replacing_keeps_the_keys_of_boxes_that_stay(image):
    stays = add_tag(image, label="scratch", **BOX, by="ann")
    goes = add_tag(image, label="dent", **BOX, by="ann")
    now = replace_tags(
        image, tags=[{"label": "scratch", **BOX}, {"label": "hole", "x": 0, "y": 0, "w": 1, "h": 1}], by="bob"
    )
    assert [tag.label for tag in now] == ["scratch", "hole"]
    assert now[0].key == stays.key and now[0].author == "ann"
    assert not Tag.objects.filter(key=goes.key).exists()
    check_history(image)


def test_replacing_by_the_same_changes_nothing(image):
    replace_tags(image, tags=[{"label": "a", **BOX}, {"label": "a", **BOX}], by="ann")
    image.refresh_from_db()
    before = image.revision
    replace_tags(image, tags=[{"label": "a", **BOX}, {"label": "a", **BOX}], by="bob")
    image.refresh_from_db()
    assert (image.revision, Tag.objects.count()) == (before, 2)
    replace_tags(image, tags=[{"label": "a", **BOX}], by="bob")
    assert Tag.objects.count() == 1
    check_history(image)


def test_replacing_an_older_version_shows_both_sides(image):
    replace_tags(image, tags=[{"label": "a", **BOX}], by="ann", revision=1)
    wanted = [{"label": "b", **BOX}]
    with pytest.raises(RevisionMismatch) as caught:
        replace_tags(image, tags=wanted, by="bob", revision=1)
    assert caught.value.details["yours"] == {"revision": 1, "tags": wanted}
    assert [tag["label"] for tag in caught.value.details["current"]["tags"]] == ["a"]
    assert caught.value.details["current"]["revision"] == 2


def test_a_picture_has_a_bounded_number_of_boxes(image, monkeypatch):
    monkeypatch.setattr(tags, "TAGS_MAX", 2)
    replace_tags(image, tags=[{"label": "a", **BOX}] * 2, by="ann")
    with pytest.raises(TooManyTags):
        add_tag(image, label="c", **BOX, by="ann")
    with pytest.raises(TooManyTags):
        replace_tags(image, tags=[{"label": "a", **BOX}] * 3, by="ann")


def test_a_deleted_picture_takes_no_boxes(image):
    tag = add_tag(image, label="scratch", **BOX, by="ann")
    delete_image(image, by="ann")
    for edit in (
        lambda: add_tag(image, label="scratch", **BOX, by="ann"),
        lambda: change_tag(tag, revision=1, by="ann", label="dent"),
        lambda: delete_tag(tag, revision=1, by="ann"),
        lambda: replace_tags(image, tags=[], by="ann"),
    ):
        with pytest.raises(ImageDeleted):
            edit()


def test_two_who_replace_at_once_are_ordered_and_one_is_told(transactional_db, image):
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def replace(label: str) -> None:
        mine = Image.objects.get(pk=image.pk)
        barrier.wait(10)
        try:
            replace_tags(mine, tags=[{"label": label, **BOX}], by=label, revision=1)
            outcomes.append(label)
        except RevisionMismatch as error:
            outcomes.append(f"told of {error.details['current']['tags'][0]['label']}")
        connections.close_all()

    threads = [threading.Thread(target=replace, args=(label,)) for label in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    winner = Tag.objects.get().label
    assert sorted(outcomes) == sorted([winner, f"told of {winner}"])
    check_history(image)


def test_many_editors_of_one_picture_lose_no_box_and_no_count(transactional_db, image):
    failures: list[Exception] = []

    def edit(number: int) -> None:
        try:
            for step in range(4):
                mine = Image.objects.get(pk=image.pk)
                tag = add_tag(mine, label=f"l{step % 2}", **BOX, by=str(number))
                if step % 2:
                    delete_tag(tag, revision=1, by=str(number))
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert Tag.objects.count() == 8
    check_history(image)


BOXES = st.fixed_dictionaries(
    {
        "label": st.sampled_from(["a", "b"]),
        "x": st.sampled_from([0, 0.1, 0.5]),
        "y": st.sampled_from([0.0, 0.25]),
        "w": st.sampled_from([0.1, 0.5]),
        "h": st.sampled_from([0.1, 0.75]),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=st.lists(st.lists(BOXES, max_size=4), max_size=4))
def test_after_any_replacements_the_history_gives_the_tags_of_now(image, lists):
    for wanted in lists:
        replace_tags(image, tags=wanted, by="ann")
        now = [(tag.label, tag.x_frac, tag.y_frac, tag.w_frac, tag.h_frac) for tag in image.tags.all()]
        assert sorted(now) == sorted(tuple(box[name] for name in ("label", *"xywh")) for box in wanted)
    check_history(image)
