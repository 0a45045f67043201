"""Which pictures an export holds: those of a dataset or of a session, as far as they are wanted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from monitoring.models import Dataset, Image, Tag
from monitoring.splits import split_now
from sessions_app.models import Session
from sessionsite.common.clock import iso, parse_iso


@dataclass(frozen=True)
class Wanted:
    """What is asked of an export; empty means all. split: the one that counts, a chosen or a computed one."""

    format: str
    pictures: bool = True
    label: str = ""
    tag: str = ""
    review: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    monitor: str = ""
    after: datetime | None = None
    before: datetime | None = None

    def as_json(self) -> dict:
        found = {name: value for name, value in asdict(self).items() if value not in ("", (), None)}
        return found | {name: iso(found[name]) for name in ("after", "before") if name in found}

    @classmethod
    def from_json(cls, found: dict) -> Wanted:
        times = {name: parse_iso(found[name]) for name in ("after", "before") if name in found}
        words = {name: tuple(found[name]) for name in ("review", "split") if name in found}
        return cls(**{**found, **times, **words})


@dataclass(frozen=True)
class Selection:
    """What is exported. pictures: which rows; all: those whose labels are the classes, whatever the filters.

    datasets: those that the rows may belong to; their shares decide the split of a picture without one.
    """

    title: str
    pictures: QuerySet[Image]
    all: QuerySet[Image]
    datasets: tuple[Dataset, ...] = ()


def of_dataset(dataset: Dataset, wanted: Wanted) -> Selection:
    """The kept pictures of `dataset`."""
    kept = Image.objects.kept().filter(dataset=dataset)
    return Selection(dataset.name, _filtered(kept, wanted, (dataset,)), kept, (dataset,))


def of_session(session: Session, wanted: Wanted) -> Selection:
    """The kept pictures of `session`, whatever datasets they belong to."""
    kept = Image.objects.kept().filter(session=session)
    datasets = tuple(Dataset.objects.filter(pk__in=kept.order_by().values("dataset").distinct()))
    title = session.name or (session.monitor.name if session.monitor else "") or session.key
    return Selection(title, _filtered(kept, wanted, datasets), kept, datasets)


def _filtered(pictures: QuerySet[Image], wanted: Wanted, datasets: tuple[Dataset, ...]) -> QuerySet[Image]:
    if wanted.label:
        pictures = pictures.filter(label=wanted.label)
    if wanted.tag:
        pictures = pictures.filter(Exists(Tag.objects.filter(image=OuterRef("pk"), label=wanted.tag)))
    if wanted.review:
        pictures = pictures.filter(review__in=wanted.review)
    if wanted.split:
        pictures = pictures.alias(split_wanted=split_now(datasets)).filter(split_wanted__in=wanted.split)
    if wanted.monitor:
        pictures = pictures.filter(monitor__slug=wanted.monitor)
    if wanted.after:
        pictures = pictures.filter(received_at__gte=wanted.after)
    if wanted.before:
        pictures = pictures.filter(received_at__lt=wanted.before)
    return pictures
