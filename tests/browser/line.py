"""An inspection line in front of a running server: monitors, pictures and boxes, made over HTTP."""

from __future__ import annotations

from functools import cache

import httpx

from monitoring.simulator.line import Line, Shot
from tests.site.processes import Server


@cache
def shot(number: int, kind: str = "plate") -> Shot:
    """Picture `number` of a simulated line, drawn once for the whole run."""
    return Line("browser", kind=kind, defect_rate=0.4).shot(number)


class Cameras:
    """Makes what a test needs, with an administrator's token of organisation `default`."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token = server.token("cameras")
        self.http = httpx.Client(
            base_url=server.url,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=20,
            trust_env=False,
        )

    def call(self, method: str, path: str, **options) -> dict:
        answer = self.http.request(method, f"/api/v1/{path}", **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    def monitor(
        self, slug: str, name: str = "", *, interval_s: float | None = None, start: bool = True
    ) -> str:
        """A new monitor, running unless told otherwise."""
        body = {"organisation": "default", "slug": slug, "name": name or slug}
        if interval_s:
            body["expected_interval_s"] = interval_s
        self.call("POST", "monitors/", json=body)
        if start:
            self.start(slug)
        return slug

    def start(self, slug: str) -> dict:
        return self.call("POST", f"monitors/{slug}/start/", json={})

    def stop(self, slug: str) -> dict:
        return self.call("POST", f"monitors/{slug}/stop/", json={})

    def send(self, slug: str, number: int = 0, *, kind: str = "plate", boxes: bool = True) -> str:
        """The key of the picture that was taken, with the defects that the simulator knows as boxes."""
        found = shot(number, kind)
        name = {"name": f"{slug}-{number:04}.jpg"}
        added = self.call(
            "POST",
            f"monitors/{slug}/images/",
            params={"label": found.label, **name},
            content=found.data,
            headers={"Content-Type": "image/jpeg"},
        )
        for box in found.boxes if boxes else ():
            self.tag(added["key"], box.label, (box.x, box.y, box.w, box.h))
        return added["key"]

    def tag(self, image: str, label: str, box: tuple[float, float, float, float]) -> dict:
        x, y, w, h = box
        return self.call(
            "POST", f"images/{image}/tags/", json={"label": label, "x": x, "y": y, "w": w, "h": h}
        )

    def state(self, slug: str) -> dict:
        return self.call("GET", f"monitors/{slug}/state/")
