"""How often each label stands in a dataset."""

from __future__ import annotations

from django.db.models import Count

from monitoring.models import Dataset, Image, Tag


def dataset_counts(dataset: Dataset) -> dict:
    """`{"image_count", "labels", "tag_counts"}` of the kept pictures, the most frequent label first."""
    pictures = Image.objects.kept().filter(dataset=dataset)
    boxes = Tag.objects.filter(image__dataset=dataset, image__deleted_at__isnull=True)
    labels = _per_label(pictures)
    return {"image_count": sum(labels.values()), "labels": labels, "tag_counts": _per_label(boxes)}


def _per_label(rows) -> dict[str, int]:
    counted = rows.order_by().values_list("label").annotate(count=Count("pk"))
    return dict(sorted(counted, key=lambda pair: (-pair[1], pair[0])))
