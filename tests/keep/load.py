"""Clients that post pictures to a server until they are told to stop, and remember what was acknowledged."""

from __future__ import annotations

import base64
import threading
from contextlib import contextmanager

import httpx

from tests.pictures import picture
from tests.site.processes import Server


class Load:
    """`keys`: of the pictures that were acknowledged so far; `failures`: anything that was not."""

    def __init__(self, server: Server, token: str, clients: int) -> None:
        self._url, self._headers = server.url, {"Authorization": f"Bearer {token}"}
        self._stopping = threading.Event()
        self._many = threading.Condition()
        self.keys: list[str] = []
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._post, args=(n,), daemon=True) for n in range(clients)]

    def _post(self, client: int) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60, trust_env=False) as http:
            number = client * 10_000
            while not self._stopping.is_set():
                number += 1
                body = {"image": base64.b64encode(picture(number)).decode(), "label": f"part {number % 3}"}
                answer = http.post(f"/api/v1/monitors/line-{client % 2}/images/", json=body)
                with self._many:
                    if answer.status_code == 201:
                        self.keys.append(answer.json()["key"])
                    else:
                        self.failures.append(answer.text)
                        return
                    self._many.notify_all()

    def wait_for_more(self, count: int) -> list[str]:
        """Everything acknowledged, once `count` more pictures than now are."""
        with self._many:
            wanted = len(self.keys) + count
            assert self._many.wait_for(lambda: len(self.keys) >= wanted or self.failures, 90), "no load"
            assert not self.failures, self.failures[0]
            return list(self.keys)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()


@contextmanager
def loaded(server: Server, *, clients: int = 8):
    """Two monitors that run, and clients that post to them."""
    token = server.token()
    headers = {"Authorization": f"Bearer {token}"}
    for n in range(2):
        made = server.http.post(
            "/api/v1/monitors/", json={"slug": f"line-{n}", "name": "Line"}, headers=headers
        )
        assert made.status_code == 201, made.text
        assert server.http.post(f"/api/v1/monitors/line-{n}/start/", headers=headers).status_code == 201
    load = Load(server, token, clients)
    load.start()
    try:
        yield load
    finally:
        load.stop()
