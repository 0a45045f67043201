"""Start, stop, state, history and the controller's mailbox of one monitor."""

from __future__ import annotations

import pybase64

from monitoring import services
from monitoring.api.rosepetal.base import RosepetalView
from monitoring.api.rosepetal.reading import BadBody, json_object, text_of, whole_number
from monitoring.api.rosepetal.shapes import START_STOP, Answer, result
from monitoring.models import Monitor
from monitoring.state import monitor_state
from sessions_app.models import Session, SessionEvent
from sessionsite.common.clock import parse_iso, to_epoch_ms
from sessionsite.common.files import media_file, media_path

SESSIONS_MAX = 100


class StartStop(RosepetalView):
    shape = START_STOP
    token_only = ("GET",)

    def get(self, request, slug: str) -> Answer:
        return self.act(slug, text_of(request.query_params.get("uid"), "uid"))

    def post(self, request, slug: str) -> Answer:
        uid = request.query_params.get("uid")
        if uid is None and request.headers.get("Content-Type", "").startswith("application/json"):
            body = self.body()
            uid = json_object(body).get("uid") if body.strip() else None
        return self.act(slug, text_of(uid, "uid"))

    def act(self, slug: str, uid: str) -> Answer:
        raise NotImplementedError


class Start(StartStop):
    """GET or POST /monitor/<id>/start?uid="""

    def act(self, slug, uid):
        services.start_monitor(self.monitor(slug, "control"), by=self.caller.name, uid=uid)
        return Answer(result("Started", error=False))


class Stop(StartStop):
    """GET or POST /monitor/<id>/stop"""

    def act(self, slug, uid):
        services.stop_monitor(self.monitor(slug, "control"), by=self.caller.name)
        return Answer(result("Stopped", error=False))


class State(RosepetalView):
    """GET /monitor/<id>/state: what upstream keeps under monitor/<id> of its live database."""

    http_method_names = ("get",)

    def get(self, request, slug: str) -> Answer:
        monitor = self.monitor(slug, "read")
        return Answer(live_state(monitor_state(Monitor.objects.for_messages().get(pk=monitor.pk))))


class Sessions(RosepetalView):
    """GET /monitor/<id>/sessions?limit=10&running=1: ended sessions, newest first, after the running one."""

    http_method_names = ("get",)

    def get(self, request, slug: str) -> Answer:
        monitor = self.monitor(slug, "read")
        limit = whole_number(request.query_params.get("limit"), "limit", default=10, low=1, high=SESSIONS_MAX)
        rows = Session.objects.filter(monitor=monitor)
        ended = list(rows.filter(stopped_at__isnull=False).newest_first()[:limit])
        running = list(rows.open()[:1]) if request.query_params.get("running") == "1" else []
        return Answer(session_documents([*running, *ended], monitor))


class Controller(RosepetalView):
    """POST /monitor/<id>/controller {"request_id"}: the controller has done what the mailbox asked."""

    http_method_names = ("post",)

    def post(self, request, slug: str) -> Answer:
        request_id = json_object(self.body()).get("request_id")
        if not isinstance(request_id, str):
            raise BadBody("request_id must be text")
        monitor = self.monitor(slug, "control")
        if services.controller_ack(monitor, request_id=request_id, by=self.caller.name):
            return Answer(result("Acknowledged", error=False))
        return Answer(result("Error: not the pending request", error=True))


def live_state(state: dict) -> dict:
    """The live node of a monitor's state; the total of a stopped one is that of its last session."""
    total = state["total_counter"]
    action = {"status": state["controller"]["status"]}
    if state["controller"]["request"]:
        action["request"] = state["controller"]["request"]
    return {
        "status": state["running"],
        "session": state["session"]["key"] if state["session"] else "",
        "image": {"imageData": thumbnail_base64(state["organisation"], state["last_image"])},
        "totalCounter": total,
        "flow": {"current_flow_rate": state["flow"]["current_flow_rate"], "total_processed": total},
        "controller": {"action": action},
        "at": to_epoch_ms(parse_iso(state["at"])),
    }


def thumbnail_base64(organisation: str, image: dict | None) -> str:
    """The 300 px WebP thumbnail in base64; empty text where there is none."""
    if image is None:
        return ""
    try:
        path = media_file(media_path(organisation, image["key"], "thumb.webp"))
        return pybase64.b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        return ""


def session_documents(sessions: list[Session], monitor: Monitor) -> list[dict]:
    """The sessions as upstream stores them, with their key as `id`; times in epoch milliseconds."""
    acked = set(
        SessionEvent.objects.filter(
            session__in=sessions, kind="controller_acked", detail__command="start_capture"
        ).values_list("session_id", flat=True)
    )
    return [session_document(each, monitor, is_pending=each.pk not in acked) for each in sessions]


def session_document(session: Session, monitor: Monitor, *, is_pending: bool = True) -> dict:
    """is_pending: the controller has not yet said that it captures."""
    request = {"command": "start_capture", "params": {}}
    return {
        "id": session.key,
        "start": to_epoch_ms(session.started_at),
        "stop": to_epoch_ms(session.stopped_at) if session.stopped_at else None,
        "monitor": f"monitor/{monitor.slug}",
        "data": {
            "controller": {"action": {"status": is_pending, "request": request}},
            "totalCounter": session.total_counter,
        },
        "flow": session.flow,
        "uid": session.data.get("uid") or session.started_by,
    }
