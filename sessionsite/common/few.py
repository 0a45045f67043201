"""Few or many? A list filtered by what its rows contain is read another way for each."""

from __future__ import annotations

from django.db.models import QuerySet

FEW = 1000


def few(values: QuerySet) -> list | None:
    """All of `values`, a query of single columns, while they are at most FEW; None for more.

    Rows with something rare are found from the rare thing: their list would be walked to its end. Rows with
    something common are found by walking: the newest page has them, and there are too many to sort.
    """
    found = list(values.order_by()[: FEW + 1])
    return found if len(found) <= FEW else None
