"""Few or many? A list filtered by what its rows contain is read another way for each."""

from __future__ import annotations

from django.db.models import QuerySet

FEW = 1000


def few(values: QuerySet) -> set | None:
    """All of `values`, a query of single columns, while there are at most FEW; None for more.

    Rows with something rare are found from the rare thing: their list would be walked to its end. Rows with
    something common are found by walking: the newest page has them, and there are too many to sort.
    """
    found = list(values.order_by()[: FEW + 1])
    return set(found) if len(found) <= FEW else None


def narrowed(queryset: QuerySet, *conditions, **lookups) -> QuerySet:
    """`queryset.filter(...)`, read from its few rows where an index tells at once that they are few."""
    wanted = queryset.filter(*conditions, **lookups)
    keys = few(wanted.prefetch_related(None).values_list("pk", flat=True))
    return wanted if keys is None else queryset.filter(pk__in=keys)
