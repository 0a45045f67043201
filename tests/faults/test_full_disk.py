"""A disk that is really full: a clear refusal in each dialect, nothing half-kept, and all well afterwards."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect as connect_socket

from tests.faults.disks import MIB, empty, fill, small_disk
from tests.pictures import picture
from tests.site.processes import Server, running

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]

NATIVE, BATCH, WIRE = (
    "/api/v1/monitors/cam-1/images/",
    "/api/v1/monitors/cam-1/images/batch/",
    "/monitor/cam-1/image",
)
CLIENTS = 4
LARGE = 640, 480


@dataclass
class Site:
    """A server whose data, or only whose pictures, lie on a small disk; what it acknowledged."""

    server: Server
    http: httpx.Client
    disk: Path
    acknowledged: set[str] = field(default_factory=set)
    number: int = 0

    def next_picture(self) -> bytes:
        self.number += 1
        return picture(self.number, size=LARGE, format="PNG" if self.number % 5 == 0 else "JPEG")

    def post_native(self) -> httpx.Response:
        answer = self.http.post(NATIVE, content=self.next_picture(), headers={"Content-Type": "image/jpeg"})
        if answer.status_code == 201:
            self.acknowledged.add(answer.json()["key"])
        return answer

    def post_wire(self) -> httpx.Response:
        image = base64.b64encode(self.next_picture()).decode()
        answer = self.http.post(WIRE, json={"image": image, "image_data": {}})
        if answer.status_code == 200:
            self.acknowledged.add(answer.json()["data"]["id"])
        return answer

    def post_batch(self) -> httpx.Response:
        """Two pictures in one request, through the ordinary views."""
        files = [("images", (f"{n}.jpg", self.next_picture(), "image/jpeg")) for n in range(2)]
        answer = self.http.post(BATCH, files=files)
        for result in answer.json().get("results", []):
            if "key" in result:
                self.acknowledged.add(result["key"])
        return answer

    def rows(self) -> list[tuple[str, str, str]]:
        database = f"file:{self.server.data_dir / 'db.sqlite3'}?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True)) as connection:
            found = connection.execute(
                "SELECT key, file_path, thumbnail_path FROM monitoring_image"
            ).fetchall()
            [[counted]] = connection.execute("SELECT sum(total_counter) FROM sessions_app_session")
        assert counted == len(found)
        return found

    def check(self) -> None:
        """What was acknowledged is there, whole, and nothing else is."""
        rows = self.rows()
        assert self.acknowledged <= {key for key, _, _ in rows}
        media = self.server.data_dir / "media"
        named = {path for _, *paths in rows for path in paths}
        kept = {
            str(path.relative_to(media))
            for path in media.rglob("*")
            if path.is_file() and path.relative_to(media).parts[0] not in ("inflight", "filler")
        }
        assert kept == named
        assert not list((media / "inflight").rglob("*.part"))
        for path in named:
            assert (media / path).stat().st_size > 0


@contextlib.contextmanager
def running_site(data: Path, disk: Path, *, reserve_bytes: int) -> Iterator[Site]:
    more = {"DISK_RESERVE_BYTES": str(reserve_bytes), "HANDLER_THREADS": "4"}
    with running(Server, data_dir=data, **more) as server:
        server.http.headers["Authorization"] = f"Bearer {server.token()}"
        made = server.http.post("/api/v1/monitors/", json={"slug": "cam-1", "name": "1"})
        assert made.status_code == 201, made.text
        assert server.http.post("/api/v1/monitors/cam-1/start/").is_success
        yield Site(server, server.http, disk)
        assert server.stop()[0] == 0, server.output


def assert_full(answer: httpx.Response, dialect: str) -> None:
    assert answer.status_code == 507, answer.text
    body = answer.json()
    if dialect == "native":
        assert body.keys() == {"error", "code", "details"}
        assert body["code"] == "disk_full"
    else:
        assert body["data"]["error"] is True and isinstance(body["data"]["result"], str)


def assert_readable(site: Site) -> None:
    """Reading goes on: pages, REST, both dialects' states, files, live frames."""
    key = min(site.acknowledged)
    for address in (
        "/healthz",
        "/readyz",
        "/login/",
        "/api/v1/monitors/",
        "/api/v1/monitors/cam-1/state/",
        "/monitor/cam-1/state",
        "/api/v1/images/",
        f"/api/v1/images/{key}/",
        f"/api/v1/images/{key}/file/",
        f"/api/v1/images/{key}/thumbnail/",
        "/api/v1/fleet/",
    ):
        answer = site.http.get(address)
        assert answer.status_code == 200, (address, answer.text)
    authorization = {"Authorization": site.http.headers["Authorization"]}
    address = f"ws://127.0.0.1:{site.server.port}/ws/live/?topic=monitor:cam-1"
    with connect_socket(address, additional_headers=authorization, proxy=None) as socket:
        assert '"snapshot"' in socket.recv(timeout=30)


def fill_by_pictures(site: Site) -> Counter:
    """Clients post in every dialect until each was refused several times; the statuses they got."""
    statuses: Counter = Counter()

    def client(post) -> None:
        refused = 0
        while refused < 5:
            answer = post()
            statuses[answer.status_code] += 1
            if answer.status_code not in (200, 201):
                refused += 1
                assert_full(answer, "wire" if post == site.post_wire else "native")

    with ThreadPoolExecutor(CLIENTS) as clients:
        for done in [clients.submit(client, post) for post in (site.post_native, site.post_wire) * 2]:
            done.result()
    return statuses


def test_when_the_disk_of_the_pictures_is_full(tmp_path):
    data = tmp_path / "data"
    with small_disk(data / "media", 4 * MIB) as disk, running_site(data, disk, reserve_bytes=0) as site:
        fill(disk, leave_bytes=3 * MIB)
        assert fill_by_pictures(site)[507] >= 20 and site.acknowledged
        site.check()
        results = site.post_batch().json()["results"]
        assert [result.get("code") for result in results] == ["disk_full"] * 2, results
        assert_readable(site)
        assert site.http.post("/api/v1/monitors/cam-1/stop/").is_success
        assert site.http.post("/api/v1/monitors/cam-1/start/").is_success
        site.check()
        empty(disk)
        assert_takes_pictures(site)


def test_when_the_disk_of_the_database_is_full(tmp_path):
    data = tmp_path / "data"
    with (
        small_disk(data, 12 * MIB) as disk,
        small_disk(data / "media", 256 * MIB),
        running_site(data, disk, reserve_bytes=0) as site,
    ):
        assert site.post_native().status_code == 201
        fill(disk)
        assert fill_by_pictures(site)[507] >= 20
        site.check()
        assert_full(write_until_refused(site), "native")
        large = [("images", ("large.jpg", b"\xff" * 3 * MIB, "image/jpeg"))]  # waits on the disk
        assert_full(site.http.post(BATCH, files=large), "native")
        assert_readable(site)
        site.check()
        empty(disk)
        assert_takes_pictures(site)
        assert site.http.post("/api/v1/monitors/cam-1/stop/").is_success


def assert_takes_pictures(site: Site) -> None:
    assert site.post_native().status_code == 201
    assert site.post_wire().status_code == 200
    assert site.post_batch().json()["accepted"] == 2
    site.check()


def write_until_refused(site: Site) -> httpx.Response:
    """The database's log has some room left of what it once took."""
    for _ in range(500):
        answer = site.http.patch("/api/v1/monitors/cam-1/", json={"name": f"Camera {site.number}"})
        if not answer.is_success:
            return answer
        site.number += 1
    raise AssertionError("500 changes found room on a full disk")


@pytest.mark.parametrize("place", ["", "media"])
def test_at_the_reserve_pictures_are_refused_and_work_goes_on(tmp_path, place):
    data = tmp_path / "data"
    with (
        small_disk(data / place, 16 * MIB) as disk,
        running_site(data, disk, reserve_bytes=8 * MIB) as site,
    ):
        assert fill_by_pictures(site)[507] >= 20
        site.check()
        assert_readable(site)
        assert site.http.get("/readyz").json()["checks"]["disk"] == "degraded"
        for _ in range(5):
            assert site.http.post("/api/v1/monitors/cam-1/stop/").is_success
            assert site.http.post("/api/v1/monitors/cam-1/start/").is_success
        site.check()
