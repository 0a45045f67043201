"""Labels of a dataset renamed and merged everywhere: shown before, kept in the history, taken back."""

from __future__ import annotations

from collections import Counter

import pytest

from monitoring.jobs import runner
from monitoring.models import Image, Job, JobItem, Tag, TagChange
from monitoring.services import NewImage, add_image, add_tag, change_image, change_tag, delete_image
from sessions_app.models import LabelCount
from tests.pictures import picture

pytestmark = pytest.mark.django_db
URL = "/api/v1/datasets/ds-1/relabel/"


@pytest.fixture
def as_operator(client_for, operator):
    return client_for(operator)


@pytest.fixture
def images(dataset, monitor, session) -> list[Image]:
    """Three with boxes `dent` and `Dent`, labelled NOK, OK and nothing; the fourth is deleted."""
    found = []
    for number, label in enumerate(["NOK", "OK", "", "NOK"]):
        new = NewImage(data=picture(number), monitor=monitor, label=label, dataset_key="ds-1")
        image = Image.objects.get(key=add_image(new).key)
        for name in ("dent", "Dent", "hole")[: number + 1]:
            add_tag(image, label=name, x=0.1, y=0.1, w=0.2, h=0.2, by="ann")
        found.append(image)
    delete_image(found[3], by="ann")
    return found[:3]


def relabel(client, labels: dict, **more):
    return client.post(URL, {"labels": labels, **more}, format="json")


def boxes() -> Counter:
    return Counter(Tag.objects.filter(image__deleted_at=None).values_list("label", flat=True))


def test_the_preview_says_what_would_change_and_changes_nothing(as_operator, images):
    shown = relabel(as_operator, {"Dent": "dent", "NOK": "bad"}, dry_run=True)
    assert shown.status_code == 200 and shown.json() == {
        "pictures": 3,
        "labels": [
            {"label": "Dent", "becomes": "dent", "boxes": 2, "picture_labels": 0, "is_merge": True},
            {"label": "NOK", "becomes": "bad", "boxes": 0, "picture_labels": 1, "is_merge": False},
        ],
    }
    assert boxes() == {"dent": 3, "Dent": 2, "hole": 1} and not Job.objects.exists()


def test_a_merge_keeps_boxes_history_and_counts(as_operator, images, session):
    keys = set(Tag.objects.values_list("key", flat=True))
    job = relabel(as_operator, {"Dent": "dent", "NOK": "bad"})
    assert job.status_code == 202 and runner.run_next()
    done = as_operator.get(job["Location"]).json()
    assert done["result"] == {"labels_changed": 3, "pictures": 3, "pictures_refused": 0}
    assert boxes() == {"dent": 5, "hole": 1} and set(Tag.objects.values_list("key", flat=True)) == keys
    assert Image.objects.get(pk=images[0].pk).label == "bad"
    changes = TagChange.objects.filter(verb="changed")
    assert {(change.before["label"], change.after["label"], change.author) for change in changes} == {
        ("Dent", "dent", "operator")
    }
    counts = LabelCount.objects.filter(session=session, count__gt=0)
    assert {(row.of, row.label): row.count for row in counts} == {
        ("image", "bad"): 1, ("image", "OK"): 1, ("box", "dent"): 5, ("box", "hole"): 1,
    }  # fmt: skip


def test_undo_gives_back_what_nobody_has_changed_since(as_operator, images):
    job = relabel(as_operator, {"Dent": "dent", "NOK": "bad"}).json()
    runner.run_next()
    tag = Tag.objects.filter(image=images[1], label="dent").last()  # was Dent
    change_tag(tag, revision=tag.revision, by="ann", label="scratch")
    undone = as_operator.post(f"/api/v1/jobs/{job['key']}/undo/")
    assert undone.status_code == 202 and runner.run_next()
    assert boxes() == {"dent": 3, "Dent": 1, "scratch": 1, "hole": 1}
    assert Image.objects.get(pk=images[0].pk).label == "NOK"
    again = as_operator.post(f"/api/v1/jobs/{undone.json()['key']}/undo/")
    assert again.status_code == 202 and runner.run_next()
    assert boxes() == {"dent": 4, "scratch": 1, "hole": 1}


def test_a_swap_is_a_swap_also_when_the_server_stops_half_way(as_operator, images):
    change_image(images[2], by="ann", label="Dent")
    job = relabel(as_operator, {"Dent": "dent", "dent": "Dent"}).json()
    looks = []
    runner.run_next(lambda: looks.append(1) or len(looks) > 1)
    assert Job.objects.get(key=job["key"]).state == "queued" and JobItem.objects.count() == 2
    assert runner.run_next()
    assert boxes() == {"Dent": 3, "dent": 2, "hole": 1}
    assert Image.objects.get(pk=images[2].pk).label == "dent"


@pytest.mark.parametrize("labels", [{}, {"a": "a"}, {"a": "  "}, {"a": "x\u2028y"}, {"a": "b" * 101}])
def test_what_can_be_no_label_is_refused(as_operator, images, labels):
    for dry_run in (True, False):
        assert relabel(as_operator, labels, dry_run=dry_run).status_code == 400
    assert not Job.objects.exists()


def test_only_a_renaming_that_is_over_can_be_undone(as_operator, images, job):
    assert as_operator.post(f"/api/v1/jobs/{job.key}/undo/").json()["code"] == "job_moved"
    renaming = relabel(as_operator, {"dent": "x"}).json()
    assert as_operator.post(f"/api/v1/jobs/{renaming['key']}/undo/").status_code == 409


def test_the_summary_counts_per_split_and_covers_days(as_operator, images, dataset):
    change_image(images[0], by="ann", split="train", review="accepted")
    found = as_operator.get("/api/v1/datasets/ds-1/summary/").json()
    assert found["splits"] == {"none": 2, "train": 1}
    assert found["labels"] == {"": {"none": 1}, "NOK": {"train": 1}, "OK": {"none": 1}}
    assert found["boxes"] == {
        "dent": {"none": 2, "train": 1}, "Dent": {"none": 2}, "hole": {"none": 1},
    }  # fmt: skip
    [row] = found["coverage"]
    assert (row["monitor"], row["images"], row["boxed"], row["reviewed"]) == ("cam-1", 3, 3, 1)
    shared = as_operator.patch(
        "/api/v1/datasets/ds-1/", {"valid_percent": 0, "test_percent": 100}, format="json"
    )
    assert shared.json()["test_percent"] == 100
    assert as_operator.get("/api/v1/datasets/ds-1/summary/").json()["splits"] == {"test": 2, "train": 1}


@pytest.mark.parametrize(
    "shares",
    [
        {"valid_percent": 60, "test_percent": 50},
        {"valid_percent": 10},
        {"valid_percent": -1, "test_percent": 1},
    ],
)
def test_shares_that_are_no_percent_are_refused(as_operator, dataset, shares):
    assert as_operator.patch("/api/v1/datasets/ds-1/", shares, format="json").status_code == 400
