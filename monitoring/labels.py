"""Which labels the palette offers: those of the session, then those of its dataset, frequent ones first."""

from __future__ import annotations

from django.db.models import Q, QuerySet, Sum

from monitoring.models import Monitor
from sessions_app.models import LabelCount

OFFERED = 9  # one per key


def offered_labels(session_id: int | None, dataset_id: int | None) -> dict[str, list[str]]:
    """`{"pictures": [...], "boxes": [...]}`, read from the counters of sessions, never from pictures."""
    its_monitors = Q(session__monitor__dataset=dataset_id) if dataset_id else Q(pk=None)
    return _offered(Q(session=session_id), its_monitors)


def labels_now(monitors: QuerySet[Monitor]) -> dict[str, list[str]]:
    """The same for the newest sessions of `monitors` together."""
    return _offered(Q(session__in=monitors.exclude(current_session=None).values("current_session")))


def _offered(*whose: Q) -> dict[str, list[str]]:
    """Those of the first of `whose` come first."""
    return {
        name: list(dict.fromkeys(label for each in whose for label in _labels(of, each)))[:OFFERED]
        for name, of in (("pictures", LabelCount.IMAGE), ("boxes", LabelCount.BOX))
    }


def _labels(of: str, whose: Q) -> QuerySet:
    rows = LabelCount.objects.filter(whose, of=of, count__gt=0).order_by()
    totals = rows.values("label").annotate(total=Sum("count")).order_by("-total", "label")
    return totals.values_list("label", flat=True)[:OFFERED]
