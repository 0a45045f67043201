"""What an acknowledged picture has asked of the kernel, and in which order, seen by strace.

DURABILITY=power: write, fsync, rename, fsync of the folder, commit, answer. DURABILITY=process: the same
without any sync of a picture's files.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.lib.databases import cluster_url, fresh_database
from tests.faults.traces import RENAMES, SYNCS, WRITES, Call, Trace, TracedServer, has_strace
from tests.pictures import picture
from tests.services import need, own_postgresql
from tests.site.processes import running

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]

CLIENTS = 4  # at once, so that a commit holds several
PICTURES = 12


@dataclass
class Traced:
    """A server's trace, and the pictures that it acknowledged: key -> media path of the original."""

    trace: Trace
    pictures: dict[str, str]
    data: Path
    database_port: int | None = None

    @property
    def media(self) -> Path:
        return self.data / "media"

    def files(self, key: str) -> list[Path]:
        return sorted(self.media.rglob(f"{key}.*"))


def run_traced(data: Path, durability: str, url: str = "", *, native: str = "1") -> Traced:
    """A server takes pictures from several clients at once and ends; what it did meanwhile."""
    more = {"DURABILITY": durability, "NATIVE": native, **({"DATABASE_URL": url} if url else {})}
    with running(TracedServer, data_dir=data, **more) as server:
        headers = {"Authorization": f"Bearer {server.token()}"}
        made = server.http.post("/api/v1/monitors/", json={"slug": "cam-1", "name": "1"}, headers=headers)
        assert made.status_code == 201, made.text
        assert server.http.post("/api/v1/monitors/cam-1/start/", headers=headers).is_success

        def post(number: int) -> str:
            answer = server.http.post(
                "/api/v1/monitors/cam-1/images/",
                content=picture(number),
                headers=headers | {"Content-Type": "image/jpeg"},
            )
            assert answer.status_code == 201, answer.text
            return answer.json()["key"]

        with ThreadPoolExecutor(CLIENTS) as clients:
            keys = list(clients.map(post, range(PICTURES)))
        assert server.stop()[0] == 0, server.output
        pictures = {key: str(next((data / "media").rglob(f"{key}.jpg"))) for key in keys}
        port = int(url.rpartition(":")[2].partition("/")[0]) if url else None
        return Traced(server.trace(), pictures, data, port)


@pytest.fixture(scope="module", autouse=True)
def strace_is_there() -> None:
    need("strace", has_strace())


@pytest.fixture(scope="module", params=["1", "0"], ids=["in C", "in Python"])
def power(request, tmp_path_factory) -> Traced:
    return run_traced(tmp_path_factory.mktemp("power") / "data", "power", native=request.param)


@pytest.fixture(scope="module")
def process(tmp_path_factory) -> Traced:
    return run_traced(tmp_path_factory.mktemp("process") / "data", "process")


# --- reading the trace ----------------------------------------------------------------------------------


class NotShown(AssertionError):
    """The trace does not show what it must."""


def first(calls: Iterator[Call], what: str) -> Call:
    found = next(calls, None)
    if found is None:
        raise NotShown(f"the trace shows no {what}")
    return found


def renamed(trace: Trace, file: Path) -> tuple[Call, str]:
    """How `file` got its name, and what it was called before."""
    named = (call for call in trace.find(*RENAMES) if call.paths[-1] == str(file))
    rename = first(named, f"rename to {file.name}")
    return rename, rename.paths[0]


def written(trace: Trace, temporary: str, size_bytes: int) -> list[Call]:
    """The writes that put the whole file where it has no name yet."""
    writes = list(trace.find("write", "writev", "pwrite64", behind=temporary))
    if sum(call.result for call in writes) != size_bytes:
        raise NotShown(f"the trace shows no write of the {size_bytes} bytes of {temporary}")
    return writes


def answered(trace: Trace, key: str) -> Call:
    """The first bytes that told a client this key."""
    named = (call for call in trace.find(*WRITES, text=key) if call.is_socket and "HTTP/1.1 20" in call.text)
    return first(named, f"answer with {key}")


def committed_in_sqlite(traced: Traced, key: str, *, synced: bool) -> list[Call]:
    """The row is in the write-ahead log; with `synced` so that a power cut leaves it there."""
    log = str(traced.data / "db.sqlite3-wal")
    row = first(traced.trace.find("pwrite64", "write", behind=log, text=key), f"row of {key} in the log")
    if not synced:
        return [row]
    return [
        row,
        first(traced.trace.find(*SYNCS, behind=log, after=row.ended, tid=row.tid), "sync of the log"),
    ]


def committed_in_postgresql(traced: Traced, key: str) -> list[Call]:
    """The row was sent, then COMMIT on the same socket, and the database said that it is done."""
    trace, port = traced.trace, f":{traced.database_port}]"
    rows = (call for call in trace.find("sendto", "sendmsg", text=key) if port in call.behind)
    row = first(rows, f"row of {key} sent to the database")
    sent = first(trace.find("sendto", "sendmsg", behind=row.behind, text="COMMIT", after=row.ended), "COMMIT")
    told = trace.find("recvfrom", behind=row.behind, text="COMMIT", after=sent.began)
    return [row, sent, first(told, "answer of the database")]


def chain(*steps: tuple[str, list[Call]]) -> None:
    """Every call of a step has returned before the first of the next step begins. Raises NotShown."""
    for (earlier, before), (later, after) in pairwise(steps):
        last, begins = max(before, key=lambda c: c.ended), min(after, key=lambda c: c.began)
        if last.ended >= begins.began:
            raise NotShown(f"{later} began before {earlier} was done: {begins}, {last}")


def check_power(traced: Traced, key: str, commit: list[Call]) -> None:
    """Raises NotShown unless both files were safe before the commit, and the commit before the answer."""
    trace = traced.trace
    files = traced.files(key)
    assert len(files) == 2, files
    for file in files:
        rename, temporary = renamed(trace, file)
        writes = written(trace, temporary, file.stat().st_size)
        sync = first(trace.find(*SYNCS, behind=temporary), f"sync of {file.name}")
        folder = first(
            trace.find(*SYNCS, behind=str(file.parent), after=rename.ended),
            f"sync of the folder of {file.name}",
        )
        chain(
            ("write", writes),
            ("fsync", [sync]),
            ("rename", [rename]),
            ("fsync of the folder", [folder]),
            ("commit", commit),
            ("answer", [answered(trace, key)]),
        )
        check_folders(traced, file, before=min(commit, key=lambda call: call.began))


def check_folders(traced: Traced, file: Path, *, before: Call) -> None:
    """Each folder that was made for the file was synced in its parent before the commit."""
    made = {call.paths[0]: call for call in traced.trace.find("mkdir")}
    for folder in file.parents:
        if folder == traced.data:
            return
        if (mkdir := made.get(str(folder))) is not None:
            above = traced.trace.find(*SYNCS, behind=str(folder.parent), after=mkdir.ended)
            chain(
                ("fsync of a parent folder", [first(above, f"sync of {folder.parent}")]), ("commit", [before])
            )


# --- what must be so ------------------------------------------------------------------------------------


def test_an_acknowledged_picture_survives_a_power_cut(power):
    for key in power.pictures:
        check_power(power, key, committed_in_sqlite(power, key, synced=True))


def test_on_postgresql_too(tmp_path):
    with own_postgresql() as server, fresh_database(cluster_url(server)) as url:
        traced = run_traced(tmp_path / "data", "power", url=url)
    for key in traced.pictures:
        check_power(traced, key, committed_in_postgresql(traced, key))
    asked = traced.trace.find("sendto", "sendmsg", text="synchronous_commit=on")
    first(asked, "demand for a synchronous commit")


def test_for_a_killed_process_alone_nothing_is_synced_and_the_order_stays(process):
    for key in process.pictures:
        commit = committed_in_sqlite(process, key, synced=False)
        for file in process.files(key):
            rename, temporary = renamed(process.trace, file)
            chain(
                ("write", written(process.trace, temporary, file.stat().st_size)),
                ("rename", [rename]),
                ("commit", commit),
                ("answer", [answered(process.trace, key)]),
            )
    media = [call for call in process.trace.find(*SYNCS) if call.behind.startswith(str(process.media))]
    assert not media, [str(call) for call in media]


def test_the_trace_of_the_weaker_promise_does_not_pass_for_the_stronger(process):
    key = next(iter(process.pictures))
    with pytest.raises(NotShown, match="no sync of"):
        check_power(process, key, committed_in_sqlite(process, key, synced=False))


@pytest.mark.parametrize("missing", ["file", "folder", "parent folder", "log"])
def test_the_check_sees_a_sync_that_is_missing(power, missing):
    key, original = next(iter(power.pictures.items()))
    place = {
        "file": renamed(power.trace, Path(original))[1],
        "folder": str(Path(original).parent),
        "parent folder": str(power.media.parent),
        "log": str(power.data / "db.sqlite3-wal"),
    }[missing]
    calls = [call for call in power.trace.calls if not (call.name in SYNCS and call.behind == place)]
    with pytest.raises(NotShown, match="no sync of"):
        cut = replace(power, trace=Trace(calls))
        check_power(cut, key, committed_in_sqlite(cut, key, synced=True))


@pytest.mark.parametrize("early", ["rename", "commit", "answer"])
def test_the_check_sees_a_step_that_comes_too_early(power, early):
    key, original = next(iter(power.pictures.items()))
    steps = {
        "rename": [renamed(power.trace, Path(original))[0]],
        "commit": committed_in_sqlite(power, key, synced=True),
        "answer": [answered(power.trace, key)],
    }[early]
    calls = [replace(call, began=0, ended=0) if call in steps else call for call in power.trace.calls]
    with pytest.raises(NotShown, match="before|no sync of"):
        moved = replace(power, trace=Trace(sorted(calls, key=lambda call: call.began)))
        check_power(moved, key, committed_in_sqlite(moved, key, synced=True))
