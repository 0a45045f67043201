"""A client of the published Rosepetal wire, as the owner of an outside camera would write it."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx

NOT_STARTED = "Error: not started"
ALREADY_STARTED = "Error: Already started"
TIMEOUT = httpx.Timeout(10, connect=3)
_COME_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class Away(Exception):
    """No answer, or one that asks to come again. retry_after_s: None when the server named no time."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Refused(Exception):
    """The server answered and said no.

    status: of HTTP; 200 is possible on this wire. detail: why, where the server adds that to the text.
    """

    def __init__(self, reason: str, status: int, detail: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.detail = detail


@dataclass(frozen=True)
class BoxTag:
    """One box as updateTags takes it: fractions from the top left corner."""

    tag: str
    x: float
    y: float
    w: float
    h: float


class Wire:
    """The calls of one camera. `http` may be shared by threads; its base URL is the server's."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}

    def start(self, monitor: str, *, uid: str) -> None:
        """The monitor runs; that it ran already is no error. Raises Away, Refused."""
        try:
            self._call("GET", f"/monitor/{monitor}/start", params={"uid": uid})
        except Refused as refusal:
            if str(refusal) != ALREADY_STARTED:
                raise

    def add_image(
        self,
        monitor: str,
        data: bytes,
        *,
        taken_at: datetime | None,
        name: str,
        dataset: str,
        tag: str,
        idempotency_key: str = "",
    ) -> str:
        """Returns the id of the picture. Raises Away, Refused.

        idempotency_key: our addition to the wire; a repeat under the same key is answered, not counted.
        """
        image_data: dict[str, object] = {"name": name, "dataset": dataset, "tag": tag}
        if taken_at is not None:
            image_data["date"] = round(taken_at.timestamp() * 1000)
        body = {"image": base64.b64encode(data).decode(), "image_data": image_data}
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        answer = self._call("POST", f"/monitor/{monitor}/image", json=body, headers=headers)
        image_id = answer.get("data", {}).get("id")
        if not image_id:
            raise Refused("an answer without the picture's id", 200)
        return str(image_id)

    def update_tags(self, image_id: str, boxes: Sequence[BoxTag], *, dataset: str) -> None:
        """`boxes` are all the boxes of the picture. Raises Away, Refused."""
        body = {"dataset": dataset, "imageID": image_id, "tags": [vars(box) for box in boxes]}
        self._call("POST", "/monitor/updateTags", json=body)

    def is_ready(self) -> bool:
        """True when the server says that it can work."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def _call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options) -> dict:
        try:
            answer = self._http.request(method, path, headers=self._headers | (headers or {}), **options)
        except httpx.HTTPError as exc:
            raise Away(type(exc).__name__) from exc
        if answer.status_code in _COME_AGAIN:
            raise Away(f"HTTP {answer.status_code}", _seconds(answer.headers.get("Retry-After")))
        try:
            body = answer.json()
        except ValueError as exc:
            raise Refused(f"HTTP {answer.status_code} without JSON", answer.status_code) from exc
        if reason := _error_in(body):
            raise Refused(reason, answer.status_code, answer.headers.get("X-Error-Detail", ""))
        if answer.is_error:
            raise Refused(f"HTTP {answer.status_code}", answer.status_code)
        return body


def _error_in(body: object) -> str:
    """The text of an error in one of the wire's two shapes, `{"data": {...}}` and flat; empty for success."""
    if not isinstance(body, dict):
        return "an answer of another shape"
    inner = body.get("data", body)
    if not isinstance(inner, dict):
        return "an answer of another shape"
    error = inner.get("error")
    if error is True:
        return str(inner.get("result") or inner.get("status") or "refused")
    if error:
        return f"{error}: {inner['details']}" if inner.get("details") else str(error)
    return ""


def _seconds(text: str | None) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, float(text))
    return None
