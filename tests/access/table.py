"""Who gets in where: one row per address and method. A new address needs a row here, or the walk fails.

Rows are made by `api` (native REST), `page` (pages with a login), `wire` (the Rosepetal adapter),
`open_to_all` and `closed`. Words in < > are names of the world (world.py); the resolver's own parameter names
do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.access.world import Who

IN, LOGIN = "in", "to the login"
Outcome = int | str
Sent = dict  # of a request: json, query, headers


@dataclass(frozen=True)
class Row:
    """One address with one method, and who gets which outcome. `sent`: what the request needs to succeed.

    unknown: the status for a thing that the caller may not read.
    """

    path: str
    method: str
    right: str | None
    kind: str
    sent: Sent = field(default_factory=dict)
    unknown: int = 404

    @property
    def names_a_thing(self) -> bool:
        return "<" in self.path

    def outcome(self, who: Who) -> Outcome:
        """IN, LOGIN, or the status of the refusal."""
        return {
            "open": lambda: IN,
            "closed": lambda: 404,
            "api": lambda: self._api(who),
            "hidden": lambda: self._hidden(who),
            "page": lambda: self._page(who),
            "wire": lambda: self._wire(who),
            "wire token": lambda: self._wire(who) if who.by == "token" else 401,
            "wire for all": lambda: 401 if who.rights is None else IN,
        }[self.kind]()

    def _api(self, who: Who) -> Outcome:
        """A thing is unknown to those who may not read it; a list shows one's own things only."""
        if who.rights is None:
            return 401
        if not self.names_a_thing:
            return IN if who.may_anywhere(self.right) else 403
        if who.may(self.right):
            return IN
        return 403 if who.may("read") else 404

    def _hidden(self, who: Who) -> Outcome:
        """As api, but those who lack the right are not even shown that the thing is there."""
        if who.rights is None:
            return 401
        return IN if who.may(self.right) else 404

    def _page(self, who: Who) -> Outcome:
        if who.by != "cookie":
            return LOGIN
        if self.names_a_thing:
            return IN if who.may(self.right) else 404
        return IN if who.may_anywhere(self.right) else 403

    def _wire(self, who: Who) -> Outcome:
        if who.rights is None:
            return 401
        if who.may(self.right):
            return IN
        return 403 if who.may("read") else self.unknown


def api(path: str, sent: dict[str, Sent] | None = None, kind: str = "api", **rights: str) -> list[Row]:
    """Rows of one native address: GET="read", POST="control", …; sent: by method."""
    sent = sent or {}
    return [
        Row(f"api/v1/{path}", method, right, kind, sent.get(method, {})) for method, right in rights.items()
    ]


def page(path: str, right: str = "read", *methods: str) -> list[Row]:
    return [Row(path, method, right, "page") for method in methods or ("GET",)]


def wire(path: str, sent: dict[str, Sent] | None = None, *, kind: str = "wire", unknown: int = 404,
         **rights: str) -> list[Row]:  # fmt: skip
    """kind: `wire`, `wire token` (a login cookie does not count), `wire for all` (nothing is read)."""
    sent = sent or {}
    return [Row(path, method, right, kind, sent.get(method, {}), unknown) for method, right in rights.items()]


def linnet(path: str, **rights: str) -> list[Row]:
    """Rows of the Linnet wire: who gets in is decided as for the native addresses."""
    return [Row(path, method, right, "api") for method, right in rights.items()]


def nina(path: str, **rights: str) -> list[Row]:
    """Rows of a rig: who lacks the right is told that there is none, also where the address names none."""
    return [Row(path, method, right, "hidden") for method, right in rights.items()]


def open_to_all(path: str, *methods: str) -> list[Row]:
    return [Row(path, method, None, "open") for method in methods or ("GET",)]


def closed(path: str, *methods: str) -> list[Row]:
    return [Row(path, method, None, "closed") for method in methods or ("GET", "POST")]


def json(**body) -> Sent:
    return {"json": body}


ANY_VERSION = {"headers": {"If-Match": "*"}}
IMAGE = json(image="")
KEYS = json(role="admin", scopes=["admin"])
ZIP = {"GET": {"query": {"format": "coco"}}, "POST": json(format="coco")}

ROWS: list[Row] = [
    # -- REST: organisations, tokens
    *api("organisations/", GET="read"),
    *api("organisations/<organisation>/", GET="read"),
    *api("organisations/<organisation>/members/", GET="admin", POST="admin"),
    *api("organisations/<organisation>/members/<member>/", PATCH="admin", DELETE="admin"),
    *api("organisations/<organisation>/invites/", GET="admin", POST="admin"),
    *api("organisations/<organisation>/invites/<invite_key>/", DELETE="admin"),
    *api("tokens/", GET="read", POST="read"),
    *api("tokens/<token>/", kind="hidden", GET="admin", DELETE="admin"),
    *api("tokens/<token>/revoke/", kind="hidden", POST="admin"),
    *api("tickets/", POST="read"),
    *api("audit/", GET="admin"),
    *api("audit/csv/", GET="admin"),
    *api("health/", GET="read"),
    *api("storage/", GET="admin"),
    *api("storage/preview/", {"POST": json(keep_days=30)}, GET="admin", POST="admin"),
    *api("storage/rule/", {"PUT": json(keep_days=30)}, PUT="admin"),
    # -- REST: devices
    *api("devices/", GET="read", POST="admin"),
    *api("devices/<device>/", GET="read", PATCH="admin", DELETE="admin"),
    *api("devices/<device>/token/", {"POST": KEYS}, GET="admin", POST="admin"),
    # -- REST: sessions
    *api("sessions/", GET="read", POST="control"),
    *api("sessions/csv/", GET="read"),
    *api("sessions/compare/", GET="read"),
    *api("sessions/<session>/", GET="read", PATCH="control"),
    *api("sessions/<session>/notes/", {"PUT": ANY_VERSION | json(text="x")}, GET="read", PUT="control"),
    *api("sessions/<session>/end/", POST="control"),
    *api("sessions/<session>/pin/", POST="control", DELETE="control"),
    *api("sessions/<session>/start_recording/", POST="control"),
    *api("sessions/<session>/stop_recording/", POST="control"),
    *api("sessions/<session>/events/", GET="read", POST="control"),
    *api("sessions/<session>/frames/", POST="ingest"),
    *api("sessions/<session>/images/", {"POST": IMAGE}, GET="read", POST="ingest"),
    *api("sessions/<session>/report/", GET="read"),
    *api("sessions/<night>/report/", GET="read"),
    *api("sessions/<session>/timeline/", GET="read"),
    *api("sessions/<session>/devices/", GET="read", POST="control"),
    *api("sessions/<session>/devices/<device>/", DELETE="control"),
    *api("events/", GET="read"),
    *api("events/csv/", GET="read"),
    # -- REST: monitors
    *api("monitors/", GET="read", POST="admin"),
    *api("monitors/remove_demo/", POST="admin"),
    *api("monitors/<monitor>/", GET="read", PATCH="admin", DELETE="admin"),
    *api("monitors/<monitor>/restore/", POST="admin"),
    *api("monitors/<monitor>/state/", GET="read"),
    *api("monitors/<monitor>/start/", POST="control"),
    *api("monitors/<monitor>/stop/", POST="control"),
    *api("monitors/<monitor>/controller/", GET="read"),
    *api("monitors/<monitor>/controller/ack/", POST="control"),
    *api("monitors/<monitor>/rate/", GET="read"),
    *api("monitors/<monitor>/images/", {"POST": IMAGE}, GET="read", POST="ingest"),
    *api("monitors/<monitor>/images/batch/", POST="ingest"),
    *api("monitors/<monitor>/devices/", GET="read", POST="admin"),
    *api("monitors/<monitor>/devices/<device>/", DELETE="admin"),
    *api("fleet/", GET="read"),
    # -- REST: pictures, boxes, datasets
    *api("images/", GET="read"),
    *api("images/csv/", GET="read"),
    *api("tags/csv/", GET="read"),
    *api("images/<image>/", {"PATCH": json(label="x")}, GET="read", PATCH="annotate", DELETE="annotate"),
    *api("images/<image>/restore/", POST="annotate"),
    *api("images/<image>/pin/", POST="annotate", DELETE="annotate"),
    *api("images/<image>/reopen/", POST="review"),
    *api("images/<image>/undo/", POST="annotate"),
    *api("images/<image>/redo/", POST="annotate"),
    *api(
        "images/<image>/editors/",
        {"POST": json(client="page-0001"), "DELETE": json(client="page-0001")},
        GET="read",
        POST="annotate",
        DELETE="annotate",
    ),
    *api("review/", {"POST": json(review="doubtful")}, POST="review"),
    *api("review/preview/", {"POST": json(review="doubtful")}, POST="review"),
    *api("review/<batch>/undo/", POST="review"),
    *api("images/<image>/file/", GET="read"),
    *api("images/<image>/thumbnail/", GET="read"),
    *api("images/<image>/history/", GET="read"),
    *api("images/<image>/tags/", {"PUT": ANY_VERSION}, GET="read", POST="annotate", PUT="annotate"),
    *api(
        "tags/<tag>/",
        {"PATCH": ANY_VERSION, "DELETE": ANY_VERSION},
        GET="read",
        PATCH="annotate",
        DELETE="annotate",
    ),
    *api("tags/<tag>/restore/", POST="annotate"),
    *api("datasets/", GET="read", POST="annotate"),
    *api("datasets/<dataset>/", GET="read", PATCH="annotate", DELETE="annotate"),
    *api("datasets/<dataset>/export/", ZIP, GET="read", POST="read"),
    *api("sessions/<session>/export/", ZIP, GET="read", POST="read"),
    # -- REST: jobs; one's own need no right but to read
    *api("jobs/", GET="read"),
    *api("jobs/<job>/", GET="read", DELETE="annotate"),
    *api("jobs/<job>/cancel/", POST="annotate"),
    *api("jobs/<job>/file/", GET="read"),
    *api("jobs/<job>/link/", POST="annotate"),
    *api("jobs/<job>/upload/", PUT="annotate"),
    *api("jobs/<job>/report/", GET="read"),
    *api("jobs/<job>/apply/", POST="annotate"),
    *api("jobs/<job>/undo/", POST="annotate"),
    *api("datasets/<dataset>/summary/", GET="read"),
    *api("datasets/<dataset>/relabel/", {"POST": json(labels={"a": "b"})}, POST="annotate"),
    *api("datasets/<dataset>/import/", {"POST": json(format="coco", size_bytes=9)}, POST="annotate"),
    # -- the site
    *open_to_all("api/schema/"),
    *open_to_all("api/docs/"),
    *closed("api/<anything>"),
    *open_to_all("healthz"),
    *open_to_all("readyz"),
    *open_to_all("metrics"),  # from this machine; tests/site asks from elsewhere
    # -- the Rosepetal wire
    *wire("monitor/<monitor>/start", kind="wire token", GET="control"),
    *wire("monitor/<monitor>/start", POST="control"),
    *wire("monitor/<monitor>/stop", kind="wire token", GET="control"),
    *wire("monitor/<monitor>/stop", POST="control"),
    *wire("monitor/<monitor>/image", {"POST": IMAGE}, POST="ingest"),
    *wire("monitor/<monitor>/state", GET="read"),
    *wire("monitor/<monitor>/sessions", GET="read"),
    *wire("monitor/<monitor>/controller", {"POST": json(request_id="rq_1")}, POST="control"),
    *wire(
        "monitor/updateTags",
        {"POST": json(dataset="<dataset>", imageID="<image>", tags=[])},
        unknown=400,
        POST="annotate",
    ),
    *wire("image/delete/image/<image>", kind="wire token", GET="annotate"),
    *wire("image/detect/image/<image>", kind="wire for all", GET="read"),
    *wire("dataset/<dataset>/csv", GET="read"),
    *wire("dataset/<dataset>/model-config/<dataset>.csv", GET="read"),
    *wire("dataset/<dataset>/downloadZip", {"POST": json(images=[])}, POST="read"),
    *closed("monitor"),
    *closed("image"),
    *closed("image/detect"),
    *closed("dataset"),
    # -- the Linnet wire
    *linnet("session/start", POST="control"),
    *linnet("session/<annotation>", GET="read"),
    *linnet("session/<annotation>/history", GET="read"),
    *linnet("session/<annotation>/export", GET="read"),
    *linnet("session/<annotation>/end", DELETE="control"),
    *closed("session"),
    # -- a rig that is not public, on the addresses of its panels and on our own
    *nina("api/nina/session-state", GET="read"),
    *nina("api/nina/session-state/refresh", POST="control"),
    *nina("api/config/health", GET="read"),
    *nina("api/nina/<rig>/session-state", GET="read"),
    *nina("api/nina/<rig>/session-state/refresh", POST="control"),
    *nina("api/nina/<rig>/health", GET="read"),
    *nina("api/v1/rigs/<rig>/state/", GET="read"),
    *nina("api/v1/rigs/<rig>/events/", GET="read"),
    *nina("api/v1/rigs/<rig>/nights/<evening>/", GET="read"),
    *page("rigs/<rig>/"),
    # -- pages
    *page(""),
    *page("monitors/new/", "admin"),
    *page("monitors/<monitor>/"),
    *page("sessions/"),
    *page("sessions/<session>/"),
    *page("sessions/<session>/report/"),
    *page("sessions/<night>/report/"),
    *page("compare/"),
    *page("annotate/"),
    *page("annotate/<annotation>/"),
    *closed("exports/<job>/file/", "GET"),  # without its ticket
    *page("images/<image>/"),
    *page("datasets/"),
    *page("datasets/<dataset>/"),
    *page("exports/"),
    *page("review/"),
    *page("events/"),
    *page("health/"),
    *page("storage/", "admin"),
    *page("tokens/"),
    *page("members/", "admin"),
    *page("audit/", "admin"),
    *page("password/"),
    *open_to_all("invite/"),
    *open_to_all("invite/<invite>/"),
    *open_to_all("login/", "GET"),
]
# Addresses whose outcome is the same for everybody and no refusal: asked in a test of their own.
ELSEWHERE = {"logout/"}
