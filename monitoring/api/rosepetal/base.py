"""What every Rosepetal view shares: who asks, which monitor is theirs, and no error in a foreign shape."""

from __future__ import annotations

import logging

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import RawPostDataException, UnreadablePostError
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from monitoring.api.rosepetal.shapes import ENVELOPE, Answer, Shape
from monitoring.models import Dataset, Monitor
from sessionsite.accounts.authentication import CookieAuthentication, TokenAuthentication
from sessionsite.accounts.models import SLUG
from sessionsite.common.access import Caller
from sessionsite.common.databases import UNAVAILABLE, unavailable
from sessionsite.common.errors import (
    DomainError,
    Missing,
    NoRoom,
    NotAllowed,
    NotAuthenticated,
    TooLarge,
)
from sessionsite.common.files import is_full_disk

logger = logging.getLogger(__name__)


class LengthRequired(DomainError):
    code, status = "length_required", 411


class NoSuchMethod(DomainError):
    code, status = "method_not_allowed", 405


class Broken(DomainError):
    """Our own fault; the log has the traceback."""

    code, status = "internal_error", 500


class FormlessCookie(CookieAuthentication):
    """The login cookie, its CSRF token in the header; the body is not parsed to look for one."""

    def enforce_csrf(self, request):
        super().enforce_csrf(request._request)


class AlwaysJson(BaseContentNegotiation):
    """These clients get JSON, whatever they say they accept."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class RosepetalView(APIView):
    """One address of the wire. A handler returns an Answer or raises; nothing leaves in a shape but `shape`.

    token_only: the methods that take no login cookie, because they change something by GET.
    """

    schema = None  # not part of our own documented API
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJson
    http_method_names = ("get", "post")  # no HEAD: it would do what GET does, and no OPTIONS in another shape
    shape: Shape = ENVELOPE
    token_only: tuple[str, ...] = ()

    @property
    def caller(self) -> Caller:
        return self.request.auth

    def get_authenticators(self):
        if self.request.method in self.token_only:
            return [TokenAuthentication()]
        return [TokenAuthentication(), FormlessCookie()]

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if request.auth is None:
            raise NotAuthenticated("no credential")

    def finalize_response(self, request, response, *args, **kwargs):
        if isinstance(response, Answer):
            response = to_http(response)
        return super().finalize_response(request, response, *args, **kwargs)

    def handle_exception(self, exc) -> HttpResponse:
        response = to_http(self.shape.refuse(as_domain_error(exc)))
        if isinstance(exc, exceptions.MethodNotAllowed):
            response["Allow"] = ", ".join(self.allowed_methods)
        return response

    def body(self) -> bytes:
        """The request's body, of any content type. Raises LengthRequired for one of unknown length."""
        if "Transfer-Encoding" in self.request.headers and "Content-Length" not in self.request.headers:
            raise LengthRequired("send the body with a Content-Length")
        return self.request.body

    def monitor(self, slug: str, right: str) -> Monitor:
        """The monitor where the caller holds `right`. Raises Missing, NotAllowed where they may only look."""
        monitors = Monitor.objects.present().select_related("organisation", "dataset")
        return one_of(
            monitors.filter(slug=slug) if SLUG.regex.match(slug) else monitors.none(), self.caller, right
        )

    def dataset(self, key: str) -> Dataset:
        """The dataset of that id that the caller may read, the oldest where several organisations have it."""
        found = (
            Dataset.objects.filter(key=key).order_by("pk") if key.isprintable() else Dataset.objects.none()
        )
        return one_of(found, self.caller, "read")


def one_of(rows, caller: Caller, right: str):
    """The first of `rows` where the caller holds `right`. Raises Missing, NotAllowed."""
    if found := rows.visible_to(caller, right).first():
        return found
    if rows.visible_to(caller).exists():
        raise NotAllowed(f"The right {right} is missing.")
    raise Missing("There is no such thing.")


def to_http(answer: Answer) -> HttpResponse:
    return HttpResponse(
        answer.content, status=answer.status, content_type="application/json", headers=answer.headers
    )


def as_domain_error(exc: Exception) -> DomainError:
    """What `exc` means to the client; an unexpected one is logged and becomes a Broken."""
    if isinstance(exc, DomainError):
        return exc
    if isinstance(exc, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        return NotAuthenticated("no credential")
    if isinstance(exc, (exceptions.PermissionDenied, PermissionDenied)):
        return NotAllowed("not allowed")
    if isinstance(exc, (exceptions.NotFound, Http404)):
        return Missing("not found")
    if isinstance(exc, exceptions.MethodNotAllowed):
        return NoSuchMethod("method not allowed")
    if isinstance(exc, exceptions.APIException) and exc.status_code < 500:
        error = DomainError("the request cannot be read")
        error.status = exc.status_code
        return error
    if isinstance(exc, RequestDataTooBig):
        return TooLarge("the body is too large")
    if isinstance(exc, (SuspiciousOperation, BadRequest, UnreadablePostError, RawPostDataException)):
        return DomainError("the body cannot be read")
    if isinstance(exc, UNAVAILABLE):
        logger.warning("the database does not answer", exc_info=exc)
        return unavailable(exc)
    if isinstance(exc, OSError) and is_full_disk(exc):
        return NoRoom("the disk is full")
    logger.exception("a Rosepetal request failed", exc_info=exc)
    return Broken("internal error")


class NoSuchAddress(RosepetalView):
    """Everything below the wire's prefixes that is no address of it."""

    http_method_names = ("get", "post", "put", "patch", "delete", "head", "options")

    def initial(self, request: HttpRequest, *args, **kwargs):
        raise Missing("no such address")
