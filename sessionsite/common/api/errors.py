"""Every refusal of REST has one body: `{"error": text for people, "code": for programs, "details": {}}`."""

from __future__ import annotations

import logging
import math

import orjson
from django.conf import settings
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError
from django.http import Http404, HttpResponse
from django.http.request import UnreadablePostError
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from sessionsite.common.databases import UNAVAILABLE, unavailable
from sessionsite.common.errors import (
    BodyTooLarge,
    Conflict,
    DomainError,
    Missing,
    NoRoom,
    NotAllowed,
)
from sessionsite.common.files import is_full_disk

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"
DEFAULT_TEXTS = {404: "There is no such thing here, or it is not yours.", 500: "The server made a mistake."}


class LengthRequired(DomainError):
    """A body came in pieces without saying how long it is."""

    code, status = "length_required", 411


class ServerError(DomainError):
    code, status = "server_error", 500


def exception_handler(exc: Exception, context: dict) -> Response | None:
    """The answer to `exc`, None for a bug, which becomes a 500 with its traceback in the log."""
    error = translated(exc)
    if error is None:
        return None
    headers = {}
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = exc.auth_header
    wait_s = getattr(exc, "wait", None) or getattr(error, "retry_after_s", None)
    if wait_s:
        headers["Retry-After"] = str(math.ceil(wait_s))
    return Response(error.as_json(), status=error.status, headers=headers)


def translated(exc: Exception) -> DomainError | None:
    """`exc` as a refusal of ours; None when nobody foresaw it."""
    if isinstance(exc, DomainError):
        return exc
    if isinstance(exc, exceptions.APIException):
        return _of_framework(exc)
    if isinstance(exc, Http404):
        return Missing(DEFAULT_TEXTS[404])
    if isinstance(exc, PermissionDenied):
        return NotAllowed(str(exc) or "You may not do this.")
    if isinstance(exc, RequestDataTooBig):
        return BodyTooLarge(settings.MAX_BODY_BYTES)
    if isinstance(exc, ValidationError):
        return DomainError("; ".join(exc.messages))
    if isinstance(exc, (SuspiciousOperation, UnreadablePostError)):
        return DomainError("The request cannot be read.", reason=str(exc)[:200])
    if isinstance(exc, OSError) and is_full_disk(exc):
        return NoRoom("The disk is full; free some space and send again.")
    return _of_database(exc) if isinstance(exc, (DatabaseError, InterfaceError)) else None


def _of_database(exc: Exception) -> DomainError | None:
    if isinstance(exc, IntegrityError):
        logger.warning("A constraint refused what no check foresaw: %s", exc)
        return Conflict("This contradicts what is stored already.")
    if isinstance(exc, DataError):
        logger.warning("The database refused a value: %s", exc)
        return DomainError("A value does not fit the database.")
    if isinstance(exc, UNAVAILABLE):
        logger.error("The database does not answer: %s", exc)
        return unavailable(exc)
    return None


CODES = {
    400: "invalid",
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    415: "unsupported_media_type",
    429: "too_many_requests",
}


def _of_framework(exc: exceptions.APIException) -> DomainError:
    if isinstance(exc, exceptions.ValidationError):
        fields = _plain(exc.detail)
        fields = fields if isinstance(fields, dict) else {"": fields}
        error = DomainError(_first_text(fields), fields=fields)
    else:
        error = DomainError(str(exc.detail))
        error.code = CODES.get(exc.status_code, "invalid")
    if isinstance(exc, exceptions.ParseError):
        error.code = "parse_error"
    if isinstance(exc, exceptions.NotFound):
        error.message = DEFAULT_TEXTS[404]
    error.status = exc.status_code
    return error


def _plain(detail):
    if isinstance(detail, dict):
        return {str(key): _plain(value) for key, value in detail.items()}
    if isinstance(detail, (list, tuple)):
        return [_plain(value) for value in detail]
    return str(detail)


def _first_text(fields, path: str = "") -> str:
    """`slug: Enter a valid value.`, the first of the refusals, with the path to it."""
    if isinstance(fields, dict):
        fields = {key: value for key, value in fields.items() if value}
        key = next(iter(fields), "")
        inner = "" if key in ("", "non_field_errors") else str(key)
        return _first_text(fields.get(key, ""), ".".join(filter(None, (path, inner))))
    if isinstance(fields, list):
        return _first_text(next((value for value in fields if value), ""), path)
    return f"{path}: {fields}" if path else str(fields)


def json_answer(error: DomainError) -> HttpResponse:
    return HttpResponse(orjson.dumps(error.as_json()), status=error.status, content_type="application/json")


def _page_or_json(error: DomainError, page):
    def view(request, *args, **kwargs):
        return json_answer(error) if request.path.startswith(API_PREFIX) else page(request, *args, **kwargs)

    return view


# For sessionsite.urls: what fails before a view of ours runs is JSON too, below /api/.
bad_request = _page_or_json(DomainError("The request cannot be read."), defaults.bad_request)
permission_denied = _page_or_json(NotAllowed("You may not do this."), defaults.permission_denied)
page_not_found = _page_or_json(Missing(DEFAULT_TEXTS[404]), defaults.page_not_found)
server_error = _page_or_json(ServerError(DEFAULT_TEXTS[500]), defaults.server_error)


@csrf_exempt  # there is nothing to forge, and a POST must learn that, too
def no_such_route(request, *args, **kwargs) -> HttpResponse:
    """For every address below /api/ that nothing else answers: no redirect that would lose a body."""
    hint = {} if request.path.endswith("/") else {"hint": "Addresses end with a slash."}
    return json_answer(Missing("There is no such address.", path=request.path[:200], **hint))
