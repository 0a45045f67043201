"""A refusal looks as the callers of its address expect, also where no view has run."""

from __future__ import annotations

import json

from sessionsite.common import dialects
from sessionsite.common.dialects import Refusal, refusal, register_dialect
from sessionsite.common.errors import Busy, Missing


async def sent(answer: Refusal) -> tuple[dict, bytes]:
    messages = []

    async def send(message) -> None:
        messages.append(message)

    await answer.send(send)
    start, body = messages
    assert not body.get("more_body")
    return start, body["body"]


async def test_an_address_without_a_dialect_gets_our_own_shape():
    start, body = await sent(refusal("/api/v1/x/", Missing("Nothing here.", slug="x")))
    assert start["status"] == 404
    assert json.loads(body) == {"error": "Nothing here.", "code": "not_found", "details": {"slug": "x"}}
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"content-length"] == str(len(body)).encode()


async def test_busy_says_when_to_come_again():
    start, _ = await sent(refusal("/api/v1/x/", Busy("Not now.", retry_after_s=7)))
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"7")


async def test_the_first_dialect_whose_prefix_fits_renders(monkeypatch):
    monkeypatch.setattr(dialects, "_dialects", [])
    register_dialect("/old/", lambda error: Refusal(200, {"data": {"error": str(error)}}))
    register_dialect("/old/new/", lambda error: Refusal(418, {}))
    start, body = await sent(refusal("/old/new/x", Missing("Nothing here.")))
    assert (start["status"], json.loads(body)) == (200, {"data": {"error": "Nothing here."}})
    assert refusal("/older", Missing("Nothing here.")).status == 404
