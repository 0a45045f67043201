"""The pages of datasets and of one's exports and imports."""

from __future__ import annotations

from collections import defaultdict

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from monitoring.models import Dataset, Image, Monitor, Tag
from monitoring.pages import _paged, chosen_organisation, page, show
from sessionsite.accounts.services import caller_of_user

EXPORT_FORMATS = [
    ("coco", "COCO"),
    ("yolo", "YOLO"),
    ("voc", "Pascal VOC"),
    ("csv", "AutoML CSV"),
    ("label_studio", "Label Studio"),
    ("cvat", "CVAT"),
]
IMPORT_FORMATS = EXPORT_FORMATS[:4]


@page
def datasets(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    rows, newer, older = _paged(request, Dataset.objects.filter(organisation=organisation), ["-pk"])
    _count(rows)
    return show(request, "datasets", organisation, caller, datasets=rows, newer=newer, older=older)


def _count(rows: list[Dataset]) -> None:
    """Each has its numbers of pictures and boxes, and the names of the monitors that fill it."""
    pks = [row.pk for row in rows]
    kept = Image.objects.kept().filter(dataset__in=pks).order_by()
    images = dict(kept.values_list("dataset").annotate(count=Count("pk")))
    boxes = Tag.objects.filter(image__dataset__in=pks, image__deleted_at__isnull=True).order_by()
    boxes = dict(boxes.values_list("image__dataset").annotate(count=Count("pk")))
    names = defaultdict(list)
    for pk, name in Monitor.objects.present().filter(dataset__in=pks).values_list("dataset", "name"):
        names[pk].append(name)
    for row in rows:
        row.image_count, row.box_count = images.get(row.pk, 0), boxes.get(row.pk, 0)
        row.monitor_names = names[row.pk]


@page
def dataset(request: HttpRequest, key: str) -> HttpResponse:
    caller = caller_of_user(request.user)
    visible = Dataset.objects.visible_to(caller).select_related("organisation").filter(key=key)
    # Two organisations may use the same key: the one that is chosen first.
    slug = request.GET.get("organisation") or request.session.get("organisation")
    mine = visible.filter(organisation__slug=slug) if slug else visible
    found = mine.first() or get_object_or_404(visible.order_by("pk")[:1])
    return show(
        request, "dataset", found.organisation, caller, dataset=found, dataset_data={"key": found.key},
        export_formats=EXPORT_FORMATS, import_formats=IMPORT_FORMATS,
    )  # fmt: skip


@page
def exports(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    return show(request, "exports", organisation, caller, keep_hours=settings.JOB_KEEP_HOURS)
