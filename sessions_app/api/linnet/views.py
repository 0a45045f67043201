"""Linnet over HTTP: start, read, end, history, export. Rules and tables are those of every other session."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import orjson
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from sessions_app import services
from sessions_app.api.linnet.shapes import (
    SessionNotFound,
    export_body,
    find_session,
    history_body,
    refusal_of,
    session_body,
)
from sessions_app.models import Session, SessionEvent
from sessions_app.services.frames import FRAME
from sessionsite.accounts.api.organisations import organisation_for
from sessionsite.accounts.authentication import CookieAuthentication, TokenAuthentication
from sessionsite.common.api.errors import ServerError, translated
from sessionsite.common.api.parsers import check_json
from sessionsite.common.errors import DomainError, Missing, NotAuthenticated, Unprocessable

logger = logging.getLogger(__name__)

HISTORY_MAX = 200
EXPORT_ROWS = 500  # per query


class BadField(Unprocessable):
    """A field or parameter that cannot be meant; answered as a list, as clients of this wire expect."""

    def __init__(self, where: str, name: str, text: str) -> None:
        super().__init__(text)
        self.detail = [{"type": "value_error", "loc": [where, name], "msg": text}]


class PlainCookie(CookieAuthentication):
    """The login cookie with its CSRF token in the header."""

    def enforce_csrf(self, request):
        _ = request._request.body  # kept, because looking for a token in a form uses the stream up
        super().enforce_csrf(request._request)


class AlwaysJson(BaseContentNegotiation):
    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class LinnetView(APIView):
    """One address of the wire; a handler returns a body, or an HttpResponse, or raises."""

    schema = None  # not part of our own documented API
    authentication_classes = (TokenAuthentication, PlainCookie)
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJson
    http_method_names = ("get", "post", "delete")

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if request.auth is None:
            raise NotAuthenticated("Not authenticated")

    def finalize_response(self, request, response, *args, **kwargs):
        if isinstance(response, dict):
            response = _json(response, 200)
        return super().finalize_response(request, response, *args, **kwargs)

    def handle_exception(self, exc) -> HttpResponse:
        error = translated(exc)
        if error is None:
            logger.exception("a Linnet request failed", exc_info=exc)
            error = ServerError("Internal Server Error")
        elif isinstance(exc, exceptions.MethodNotAllowed):
            error.message = "Method Not Allowed"
        refusal = refusal_of(error)
        body = {"detail": error.detail} if isinstance(error, BadField) else refusal.body
        response = _json(body, refusal.status)
        for name, value in refusal.headers:
            response[name.decode()] = value.decode()
        return response

    def session(self, key: str, right: str) -> Session:
        return find_session(self.request.auth, key, right)


def _json(body: dict, status: int) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json")


class Start(LinnetView):
    def post(self, request):
        caller = request.auth
        elcor = self._elcor()
        organisation = organisation_for(caller, None, "control")
        session = services.start_annotation(
            organisation, by=caller.name, idle_ttl_s=settings.SESSION_IDLE_TTL_S, elcor=elcor
        )
        return session_body(session)

    def _elcor(self) -> bool:
        """What the optional body says; fields of newer clients of this wire mean nothing here."""
        try:
            body = orjson.loads(self.request.body or b"{}")
            check_json(body)
        except (orjson.JSONDecodeError, DomainError) as error:
            raise BadField("body", "", "The body is not JSON.") from error
        if not isinstance(body, dict) or not isinstance(body.get("elcor", False), bool):
            raise BadField("body", "elcor", "Input should be a valid boolean")
        return body.get("elcor", False)


class One(LinnetView):
    def get(self, request, key):
        return session_body(self.session(key, "read"))


class End(LinnetView):
    def delete(self, request, key):
        session = self.session(key, "control")
        try:
            services.end_session(session, by=request.auth.name, reason="ended")
        except services.IllegalMove as error:  # somebody ended it at this moment
            raise SessionNotFound(key) from error
        return {"session_id": session.key, "state": "stopped"}


class History(LinnetView):
    def get(self, request, key):
        session = self.session(key, "read")
        limit = int(self._number("limit", 50, 1, HISTORY_MAX, whole=True))
        least = self._number("min_confidence", 0.0, 0.0, 1.0)
        entries = SessionEvent.objects.filter(session=session, kind=FRAME, detail__confidence__gte=least)
        newest = list(entries.order_by("-seq")[:limit])
        events = [history_body(entry) for entry in reversed(newest)]
        return {"session_id": session.key, "count": len(events), "events": events}

    def _number(self, name: str, default: float, low: float, high: float, *, whole: bool = False) -> float:
        text = self.request.query_params.get(name)
        if text is None:
            return default
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            raise BadField("query", name, "Input should be a valid number") from None
        if not low <= value <= high:
            raise BadField("query", name, f"Input should lie between {low:g} and {high:g}")
        return value


class Export(LinnetView):
    rate_scope = "exports"

    def get(self, request, key):
        session = self.session(key, "read")
        answer = StreamingHttpResponse(_export(session), content_type="application/json")
        answer["Content-Disposition"] = f'attachment; filename="linnet-session-{session.key}.json"'
        return answer


def _export(session: Session) -> Iterator[bytes]:
    """All frames of the journal, read in pages, as one JSON object."""
    head = orjson.dumps({"session_id": session.key, "elcor": bool(session.data.get("elcor"))})
    yield head[:-1] + b',"events":['
    seq, comma = 0, b""
    while page := list(
        SessionEvent.objects.filter(session=session, kind=FRAME, seq__gt=seq).order_by("seq")[:EXPORT_ROWS]
    ):
        yield comma + b",".join(orjson.dumps(export_body(entry)) for entry in page)
        seq, comma = page[-1].seq, b","
    yield b"]}"


class NoSuchAddress(LinnetView):
    http_method_names = ("get", "post", "put", "patch", "delete", "head", "options")

    def initial(self, request, *args, **kwargs):
        raise Missing("Not Found")
