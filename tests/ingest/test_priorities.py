"""While pictures come in, only their decoding stands behind the others for a processor."""

from __future__ import annotations

import os
import threading

import httpx
import pytest

from sessionsite.common import scheduling
from sessionsite.common.files import close_leases
from sessionsite.common.scheduling import BEHIND, NICE_MAX
from sessionsite.lanes import Site
from tests.pictures import picture

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not hasattr(os, "SCHED_OTHER") or scheduling._KERNEL < scheduling.FIRST_KERNEL,
        reason="threads do not choose their turns here",
    ),
]


def nice_of(name: str) -> set[int]:
    """How low the threads are whose name begins like this; at least one must be there."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith(name)]
    assert threads, name
    return {os.getpriority(os.PRIO_PROCESS, thread.native_id) for thread in threads}


async def test_decode_threads_stay_behind_the_event_loop_the_disk_and_the_writer(
    session, token, settings, tmp_path
):
    settings.MEDIA_ROOT, settings.DURABILITY = tmp_path / "media", "power"
    client = httpx.AsyncClient(transport=httpx.ASGITransport(Site()), base_url="http://127.0.0.1")
    address = f"/api/v1/monitors/{session.monitor.slug}/images/"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg"}
    answer = await client.post(address, content=picture(1), headers=headers)
    close_leases()
    assert answer.status_code == 201, answer.text
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert nice_of("decode_") == {min(own + BEHIND, NICE_MAX)}
    assert nice_of("disk_") == nice_of("picture writer") == {own}
