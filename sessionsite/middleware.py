"""What is refused before a view runs, the same for pages, REST and admin."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse

from sessionsite.common.api.errors import API_PREFIX, DEFAULT_TEXTS, json_answer
from sessionsite.common.api.parsers import BadText
from sessionsite.common.dialects import has_dialect
from sessionsite.common.errors import Missing

NO_NUL = "Text must not hold NUL characters."


def refuse_nul(get_response: Callable) -> Callable:
    """No address and no query with a NUL character reaches a view: PostgreSQL cannot even be asked for it.

    An address with one does not exist (404), a query with one is bad (400). The outside wires say it in
    their own way.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        in_path = "\0" in request.path_info
        in_query = "%00" in request.META.get("QUERY_STRING", "")
        if not (in_path or in_query) or has_dialect(request.path_info):
            return get_response(request)
        if request.path_info.startswith(API_PREFIX):
            return json_answer(Missing(DEFAULT_TEXTS[404]) if in_path else BadText(NO_NUL))
        raise Http404 if in_path else BadRequest(NO_NUL)

    return middleware
