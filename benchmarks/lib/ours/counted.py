"""The whole site and one address more, `/bench/counts`: what this process holds open at this moment."""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter

import orjson

from sessions_app.api.linnet.audio import AudioSocket
from sessionsite.asgi import application as site
from sessionsite.common.hub import get_hub, stats


def counts() -> dict:
    """tasks: by the first word of their name. waiting_chunks: of the microphone that waits most."""
    tasks = Counter(task.get_name().partition(" ")[0].partition("-")[0] for task in asyncio.all_tasks())
    hub = get_hub()
    return {
        "tasks": dict(tasks),
        "task_count": tasks.total(),
        "open_files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "readers": len(hub.readers),
        "feeds": len(hub.feeds),
        "leases": sum(hub.presence.held.values()),
        "waiting_bytes": stats([hub])["waiting_bytes"],
    }


def waiting_chunks() -> int:
    sockets = [each for each in gc.get_objects() if type(each) is AudioSocket]
    return max((socket._chunks.qsize() for socket in sockets), default=0)


async def application(scope, receive, send) -> None:
    if scope["type"] != "http" or not scope["path"].startswith("/bench/counts"):
        await site(scope, receive, send)
        return
    found = counts() | ({"waiting_chunks": waiting_chunks()} if scope["path"].endswith("/audio") else {})
    body = orjson.dumps(found)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
