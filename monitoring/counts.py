"""How often each label stands in a dataset."""

from __future__ import annotations

from collections import defaultdict

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import TruncDate

from monitoring.models import Dataset, Image, Tag
from monitoring.splits import split_now

COVERAGE_ROWS = 400
NO_SPLIT = "none"


def dataset_counts(dataset: Dataset) -> dict:
    """`{"image_count", "labels", "tag_counts"}` of the kept pictures, the most frequent label first."""
    pictures = Image.objects.kept().filter(dataset=dataset)
    boxes = Tag.objects.filter(image__dataset=dataset, image__deleted_at__isnull=True)
    labels = _per_label(pictures)
    return {"image_count": sum(labels.values()), "labels": labels, "tag_counts": _per_label(boxes)}


def _per_label(rows) -> dict[str, int]:
    counted = rows.order_by().values_list("label").annotate(count=Count("pk"))
    return dict(sorted(counted, key=lambda pair: (-pair[1], pair[0])))


def dataset_summary(dataset: Dataset) -> dict:
    """Pictures per split, pictures and boxes per label and split, what each monitor brought in per UTC day.

    The split is the one that counts: chosen, or given by the shares. Days newest first, at most 400 rows.
    """
    pictures = Image.objects.kept().filter(dataset=dataset)
    boxes = Tag.objects.filter(image__dataset=dataset, image__deleted_at__isnull=True)
    labels = _per_label_and_split(pictures.annotate(split_now=split_now([dataset])))
    splits: dict[str, int] = defaultdict(int)
    for counts in labels.values():
        for split, count in counts.items():
            splits[split] += count
    return {
        "splits": dict(sorted(splits.items())),
        "labels": labels,
        "boxes": _per_label_and_split(boxes.annotate(split_now=split_now([dataset], "image__"))),
        "coverage": _coverage(pictures),
    }


def _per_label_and_split(rows) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for label, split, count in rows.order_by().values_list("label", "split_now").annotate(count=Count("pk")):
        found[label][split or NO_SPLIT] = count
    return dict(sorted(found.items(), key=lambda pair: (-sum(pair[1].values()), pair[0])))


def _coverage(pictures) -> list[dict]:
    has_box = Exists(Tag.objects.filter(image=OuterRef("pk")))
    rows = (
        pictures.order_by()
        .annotate(day=TruncDate("taken_at"), has_box=has_box)
        .values("day", "monitor__slug", "monitor__name")
        .annotate(
            images=Count("pk"),
            boxed=Count("pk", filter=Q(has_box=True)),
            reviewed=Count("pk", filter=~Q(review="unreviewed")),
        )
        .order_by("-day", "monitor__slug")[:COVERAGE_ROWS]
    )
    return [
        {
            "day": row["day"].isoformat(),
            "monitor": row["monitor__slug"],
            "monitor_name": row["monitor__name"] or "",
            "images": row["images"],
            "boxed": row["boxed"],
            "reviewed": row["reviewed"],
        }
        for row in rows
    ]
