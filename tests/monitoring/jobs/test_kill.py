"""A server is killed in the middle of an export; the next one finishes it."""

from __future__ import annotations

import io
import signal
import time
import zipfile

import pytest

from benchmarks.export import fill
from benchmarks.lib.servers import ours
from tests.site.processes import Server, running

DONE_WITHIN_S = 90


@pytest.mark.server
@pytest.mark.slow
def test_an_export_survives_kill_9(tmp_path):
    data_dir = tmp_path / "data"
    prepared = ours(tmp_path, data_dir=data_dir).prepare([])
    dataset = fill(prepared, 30_000, 150_000)["dataset"]
    headers = {"Authorization": f"Bearer {prepared.token}"}
    with running(Server, data_dir=data_dir) as server:
        body = {"format": "coco", "pictures": False}
        asked = server.http.post(f"/api/v1/datasets/{dataset}/export/", json=body, headers=headers)
        url = f"/api/v1/jobs/{asked.json()['key']}/"
        job = until(server, url, headers, lambda job: job["progress_frac"] > 0)
        assert job["state"] == "running"
        server.child.send_signal(signal.SIGKILL)
        server.child.wait(10)
    with running(Server, data_dir=data_dir) as server:
        job = until(server, url, headers, lambda job: job["state"] not in ("running", "queued"))
        assert job["state"] == "done" and job["result"] == {"pictures": 30_000}
        archive = zipfile.ZipFile(io.BytesIO(server.http.get(f"{url}file/", headers=headers).content))
        assert archive.testzip() is None
        files = list((data_dir / "jobs" / job["key"]).iterdir())
        assert len([path for path in files if path.suffix == ".zip"]) == 1


def until(server, url: str, headers: dict, holds) -> dict:
    end = time.monotonic() + DONE_WITHIN_S
    while not holds(job := server.http.get(url, headers=headers).json()):
        assert time.monotonic() < end, job
        time.sleep(0.05)
    return job
