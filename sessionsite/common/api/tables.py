"""Lists as CSV: the same rows and filters as the list beside them, all of them, streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.negotiation import DefaultContentNegotiation

from sessionsite.common.api.pagination import in_keyset_order
from sessionsite.common.csv import csv_pieces

BOM_PARAMETER = OpenApiParameter(
    "bom",
    {"type": "string", "enum": ["true", "false"]},
    description="true: begin with a byte order mark, for spreadsheets that take UTF-8 for something else.",
)


class AnyAccept(DefaultContentNegotiation):
    """The file is what it is; a client that accepts only `image/*` must get it, and its errors as JSON."""

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


def csv_action(summary: str, **options) -> Callable:
    """A method of a viewset as GET of `<collection>/csv/`; options: of `action`, such as filterset_class."""

    def decorate(method: Callable) -> Callable:
        csv_type = {(200, "text/csv"): OpenApiTypes.STR}
        route = action(
            detail=False,
            url_path="csv",
            pagination_class=None,
            content_negotiation_class=AnyAccept,
            extra_params=("bom",),
            rate_scope="exports",
            **options,
        )

        return extend_schema(summary=summary, responses=csv_type, parameters=[BOM_PARAMETER], filters=True)(
            route(method)
        )

    return decorate


def csv_answer(view, name: str, columns: Sequence[str], rows: Iterator[dict]) -> StreamingHttpResponse:
    """`<name>.csv` with these rows, begun at once and written while it is sent."""
    pieces = csv_pieces(columns, rows, bom=view.request.query_params.get("bom") == "true")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }
    return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8", headers=headers)


class CsvListed:
    """Mixed into a viewset with `list`: the list as CSV. `csv_columns`: names in `csv_row(obj)`."""

    csv_name: str
    csv_columns: tuple[str, ...]

    def csv_row(self, obj) -> dict:
        return self.render(obj)

    def csv_of(self, queryset) -> StreamingHttpResponse:
        """Every row of `queryset`, filtered as the query says, in the order of the list."""
        found = in_keyset_order(self.filter_queryset(queryset), self.keyset)
        return csv_answer(self, self.csv_name, self.csv_columns, map(self.csv_row, found))
