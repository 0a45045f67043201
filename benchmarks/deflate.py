"""What permessage-deflate would cost: CPU per delivery and memory per reader, with it and without.

    python -m benchmarks.deflate [--quick] [--readers 500]

No network: the frames of one topic go through the protocol objects that uvicorn has for its sockets, one per
reader, and are thrown away. `ours` is what the hub does: bytes that are made once and written to each reader.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import orjson
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.server import ServerProtocol

from benchmarks.lib import machine
from benchmarks.lib.options import defaults, parser, work_folder
from benchmarks.lib.processes import run_module
from benchmarks.lib.results import Results
from benchmarks.lib.stats import median, ratio

SIDES = ("ours", "plain", "deflate")
STATE_BYTES = 600
CONSTANT = base64.b64encode(bytes(range(256)) * 2).decode()  # what is the same in each state
OFFER = "permessage-deflate; client_max_window_bits"


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.side:
        print(json.dumps(measure(options.side, options.readers, options.frames)))
        return 0
    with work_folder(options) as folder:
        results = Results("deflate", "Frames with and without permessage-deflate", options, folder)
        found = measured(options)
        report(results, options, found, folder)
    results.write()
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--readers", type=int)
    made.add_argument("--frames", type=int, help="to each reader")
    made.add_argument("--side", choices=SIDES, help="measure this one in this process")
    return defaults(made.parse_args(arguments), rounds=(5, 2, 1), readers=(500, 500, 20), frames=(200, 50, 5))


def measured(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """The rounds of each side, in turn, each in a process of its own."""
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    size = ["--readers", str(options.readers), "--frames", str(options.frames)]
    for _ in range(options.rounds):
        for side in SIDES:
            found[side].append(run_module("benchmarks.deflate", "--side", side, *size))
    return found


def measure(side: str, readers: int, frames: int) -> dict[str, float]:
    """One side in this process. Memory: what the process grew by, for each reader."""
    texts = [state(number) for number in range(frames)]
    open_reader(deflates=side == "deflate")  # what is loaded once is not a reader's
    before = machine.memory_bytes(os.getpid())
    connections = [open_reader(deflates=side == "deflate") for _ in range(readers)]
    sent_bytes, began_s = 0, time.process_time()
    for text in texts:
        sent_bytes += send_all(side, connections, text)
    took_s = time.process_time() - began_s
    deliveries = readers * frames
    grown = machine.memory_bytes(os.getpid()) - before
    return {
        "cpu_s_per_100k": 1e5 * took_s / deliveries,
        "bytes_each": sent_bytes / deliveries,
        "memory_bytes": grown / readers,
    }


def send_all(side: str, connections: list[ServerProtocol], text: bytes) -> int:
    """`text` went to every reader; returns the bytes on the wire."""
    if side == "ours":
        frame = bytes([0x81, 126]) + len(text).to_bytes(2, "big") + text
        return sum(len(frame) for _ in connections)
    sent_bytes = 0
    for connection in connections:
        connection.send_text(text)
        sent_bytes += sum(map(len, connection.data_to_send()))
    return sent_bytes


def open_reader(*, deflates: bool) -> ServerProtocol:
    """A connection after its handshake, with the options of uvicorn."""
    factory = ServerPerMessageDeflateFactory(
        server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
    )
    connection = ServerProtocol(extensions=[factory] if deflates else None)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /ws/live/ HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
             f"Sec-WebSocket-Extensions: {OFFER}"]  # fmt: skip
    connection.receive_data(("\r\n".join(lines) + "\r\n\r\n").encode())
    [request] = connection.events_received()
    connection.send_response(connection.accept(request))
    connection.data_to_send()
    if bool(connection.extensions) is not deflates:
        raise RuntimeError("the extension was not negotiated as asked")
    return connection


def state(number: int) -> bytes:
    """The state of a monitor, as far as its size and its variety count: only a few values change."""
    data = {
        "running": True,
        "session": {"key": "se_01m7z20thy9f7jhtb4d51z0zzb", "name": "Batch 1182", "state": "active"},
        "total_counter": 10_000 + number,
        "flow_per_s": round(9.5 + number % 7 / 10, 1),
        "last_image": {
            "key": f"im_{base64.b32encode(number.to_bytes(15, 'big')).decode().lower()}",
            "thumbnail_url": f"/api/v1/images/{number:026}/thumbnail/",
            "taken_at": f"2026-01-02T03:{number // 60 % 60:02}:{number % 60:02}.678Z",
        },
        "presence": "live",
    }
    frame = {"type": "state", "topic": "monitor:line-3-left", "revision": number, "data": data, "pad": ""}
    frame["pad"] = CONSTANT[: STATE_BYTES - len(orjson.dumps(frame))]
    return orjson.dumps(frame)


def report(results: Results, options, found: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    results.raw = found
    table = results.table(
        f"{options.readers} readers, {options.frames} states of {STATE_BYTES} bytes each",
        "side", "CPU s per 100k deliveries", "bytes on the wire each", "memory per reader, kB",
    )  # fmt: skip
    chart = results.chart("CPU per 100k deliveries", "s")
    middle = {}
    for side, rounds in found.items():
        figures = {name: median([each[name] for each in rounds]) for name in rounds[0]}
        middle[side] = figures
        table.rows.append(
            (side, figures["cpu_s_per_100k"], figures["bytes_each"], figures["memory_bytes"] / 1000)
        )
        chart.add(side, [each["cpu_s_per_100k"] for each in rounds])
    cost = ratio(middle["deflate"]["cpu_s_per_100k"], middle["plain"]["cpu_s_per_100k"])
    more_kb = (middle["deflate"]["memory_bytes"] - middle["plain"]["memory_bytes"]) / 1000
    results.note(
        f"permessage-deflate: {cost:.1f} x the CPU of a plain frame, {more_kb:.0f} kB more per reader"
    )
    results.note("neither the write to the socket nor the rest of a reader is in these figures")


if __name__ == "__main__":
    sys.exit(main())
