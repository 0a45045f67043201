"""Labels of a dataset renamed or merged everywhere, picture by picture, with history and a way back."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from monitoring.boxes import validate_label
from monitoring.jobs.models import Job, JobItem, JobKind, JobState
from monitoring.jobs.runner import Run
from monitoring.jobs.verbs import JobMoved, create_job
from monitoring.models import Dataset, Image, Tag
from monitoring.services.edits import change_image, locked
from monitoring.services.tags import change_tag
from sessionsite.common.errors import DomainError

PAGE = 500


class BadRelabel(DomainError):
    """There is nothing to rename, or one name cannot be a label."""

    code = "bad_relabel"


def checked_mapping(labels: dict[str, str]) -> dict[str, str]:
    """old label -> new label, without those that stay. Raises BadTag, BadRelabel."""
    found = {validate_label(old): validate_label(new) for old, new in labels.items()}
    found = {old: new for old, new in found.items() if old != new}
    if not found:
        raise BadRelabel("Name a label and what it shall be.", field="labels")
    return found


def preview(dataset: Dataset, labels: dict[str, str]) -> dict:
    """What `relabel` would change: boxes and pictures per label, and whether the new label is there already.

    Raises BadTag, BadRelabel.
    """
    mapping = checked_mapping(labels)
    kept = Image.objects.kept().filter(dataset=dataset)
    boxes = Tag.objects.filter(image__in=kept.order_by())
    rows = [
        {
            "label": old,
            "becomes": new,
            "boxes": boxes.filter(label=old).count(),
            "picture_labels": kept.filter(label=old).count(),
            "is_merge": boxes.filter(label=new).exists() or kept.filter(label=new).exists(),
        }
        for old, new in mapping.items()
    ]
    return {"labels": rows, "pictures": _touched(dataset, mapping).count()}


def start_relabel(dataset: Dataset, labels: dict[str, str], *, by: str) -> Job:
    """A job that gives boxes and pictures their new labels. Raises BadTag, BadRelabel, TooManyJobs."""
    mapping = checked_mapping(labels)
    title = f"{', '.join(f'{old} → {new}' for old, new in mapping.items())} in {dataset}"
    params = {"labels": mapping}
    return create_job(
        dataset.organisation, JobKind.RELABEL, title=title, by=by, dataset=dataset, params=params
    )


def start_undo(job: Job, *, by: str) -> Job:
    """A job that gives back the labels that `job` changed, where nobody has changed them since.

    Raises JobMoved unless `job` has renamed labels and is over.
    """
    is_over = job.state in (JobState.DONE, JobState.CANCELLED, JobState.FAILED)
    if job.kind != JobKind.RELABEL or not is_over:
        raise JobMoved("Only a finished renaming of labels can be undone.", job=job.key)
    params, title = {"undo_of": job.key}, f"Undo: {job.title}"
    return create_job(
        job.organisation, JobKind.RELABEL, title=title, by=by, dataset=job.dataset, params=params
    )


def run_relabel(run: Run) -> dict:
    """Every picture has its new labels; one that refuses (its review is over, say) is counted and left."""
    job = run.job
    changes = _undoing(job) if "undo_of" in job.params else _renaming(job)
    total, boxes, pictures, refused = next(changes), 0, 0, 0
    for done, (image_id, plan) in enumerate(changes, 1):
        try:
            changed = _relabel_picture(job, image_id, plan)
        except DomainError:
            refused += 1
        else:
            boxes, pictures = boxes + changed, pictures + 1
        run.note(done, total)
    words = f"{boxes:,} labels on {pictures:,} pictures"
    return {
        "message": f"{words}, {refused:,} pictures refused" if refused else words,
        "result": {"labels_changed": boxes, "pictures": pictures, "pictures_refused": refused},
    }


def _touched(dataset: Dataset, mapping: dict[str, str]):
    boxed = Exists(Tag.objects.filter(image=OuterRef("pk"), label__in=list(mapping)))
    return Image.objects.kept().filter(Q(label__in=list(mapping)) | boxed, dataset=dataset)


def _renaming(job: Job) -> Iterator:
    """The number of pictures, then (picture, wanted labels) of each that this job has not changed yet."""
    mapping, after = job.params["labels"], 0
    touched = _touched(job.dataset, mapping)
    yield touched.count()
    # A restarted job leaves alone what it changed before: a swap would otherwise be swapped back.
    mine = Exists(JobItem.objects.filter(job=job, image=OuterRef("pk")))
    while page := list(
        touched.filter(~mine, pk__gt=after).order_by("pk").values_list("pk", flat=True)[:PAGE]
    ):
        for pk in page:
            yield pk, {"rename": mapping}
        after = page[-1]


def _undoing(job: Job) -> Iterator:
    original = Job.objects.filter(key=job.params["undo_of"]).first()
    items = JobItem.objects.filter(job=original)
    yield items.count()
    after = 0
    while page := list(items.filter(pk__gt=after).order_by("pk")[:PAGE]):
        for item in page:
            yield item.image_id, {"give_back": item.before}
        after = page[-1].pk


@transaction.atomic
def _relabel_picture(job: Job, image_id: int, plan: dict) -> int:
    """The labels of one picture are as planned; how many changed. What was there is kept in an item of `job`.

    plan: `rename`, old label -> new label; or `give_back`, what an item of an earlier job kept.
    """
    image, by = locked(Image.objects.get(pk=image_id)), job.created_by
    if JobItem.objects.filter(job=job, image=image).exists():
        return 0
    tags = list(Tag.objects.filter(image=image).order_by("pk"))
    label, wanted = _wanted(plan, image, tags)
    before = {"tags": {tag.key: [tag.label, wanted[tag.key]] for tag in tags if tag.key in wanted}}
    if label is not None:
        before["label"] = [image.label, label]
    for tag in tags:
        if tag.key in wanted:
            change_tag(tag, revision=tag.revision, by=by, label=wanted[tag.key])
    if label is not None:
        change_image(Image.objects.get(pk=image_id), by=by, label=label)
    if label is None and not wanted:
        return 0
    JobItem.objects.create(job=job, image=image, before=before)
    return len(wanted) + (label is not None)


def _wanted(plan: dict, image: Image, tags: list[Tag]) -> tuple[str | None, dict[str, str]]:
    """The picture's new label, None to leave it, and tag key -> new label."""
    if mapping := plan.get("rename"):
        return mapping.get(image.label), {tag.key: mapping[tag.label] for tag in tags if tag.label in mapping}
    plan = plan["give_back"]
    was, is_now = plan.get("label", (None, None))
    label = was if was is not None and image.label == is_now else None
    there = {tag.key: tag.label for tag in tags}
    return label, {key: old for key, (old, new) in plan["tags"].items() if there.get(key) == new}
