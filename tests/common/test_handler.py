"""Django's request stack on a pool of threads: the same answers as the stock handler's, without its costs."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.db import connection

from sessionsite.handler import STREAM_CHUNK_BYTES, PooledHandler
from tests.common import handler_urls
from tests.common.http import ask

pytestmark = pytest.mark.usefixtures("threads_keep_connections")


@pytest.fixture
def views(settings) -> PooledHandler:
    settings.ROOT_URLCONF = "tests.common.handler_urls"
    handler_urls.closed.clear()
    return PooledHandler()


@pytest.fixture
def spooled(monkeypatch) -> list:
    """The temporary files that bodies were read into."""
    from sessionsite import handler

    made = []
    real = handler.tempfile.SpooledTemporaryFile

    def remember(*args, **kwargs):
        made.append(real(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(handler.tempfile, "SpooledTemporaryFile", remember)
    return made


async def test_a_body_in_pieces_reaches_the_view_whole(views, spooled):
    answer = await ask(views, "/echo", method="POST", body=[b"a" * 1000, b"", b"b" * 500])
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {"size": 1500, "method": "POST", "path": "/echo"},
    )
    assert spooled and all(file.closed for file in spooled)


async def test_a_body_over_the_cap_is_refused_by_its_length_before_a_byte_is_read(views, settings):
    settings.MAX_BODY_BYTES = 1000
    answer = await ask(views, "/echo", method="POST", body=[b"a" * 1001], headers={"content-length": "1001"})
    assert answer.status == 413 and answer.reads == 0
    assert json.loads(answer.body)["code"] == "body_too_large"
    assert json.loads(answer.body).keys() == {"error", "code", "details"}
    assert answer.header("content-type") == "application/json"
    assert answer.header("connection") == "close"


async def test_a_body_over_the_cap_is_refused_while_it_streams(views, settings, spooled):
    settings.MAX_BODY_BYTES = 1000
    answer = await ask(views, "/echo", method="POST", body=[b"a" * 600] * 50)
    assert answer.status == 413 and answer.reads == 2
    assert all(file.closed for file in spooled)


async def test_a_body_at_the_cap_is_taken(views, settings):
    settings.MAX_BODY_BYTES = 1000
    answer = await ask(views, "/echo", method="POST", body=[b"a" * 1000], headers={"content-length": "1000"})
    assert answer.status == 200


async def test_the_refusal_speaks_the_dialect_of_its_address(views, settings):
    settings.MAX_BODY_BYTES = 1000
    native = await ask(views, "/api/v1/monitors/", method="POST", headers={"content-length": "2000"})
    rosepetal = await ask(views, "/monitor/cam-1/image", method="POST", headers={"content-length": "2000"})
    assert native.status == rosepetal.status == 413
    assert json.loads(native.body).keys() == {"error", "code", "details"}
    assert json.loads(rosepetal.body).keys() != {"error", "code", "details"}


@pytest.mark.parametrize("length", ["9" * 5000, "-5", ""])
async def test_a_length_that_is_no_number_does_no_harm(views, length):
    answer = await ask(views, "/echo", method="POST", body=[b"abc"], headers={"content-length": length})
    assert answer.status in (200, 413)


async def test_a_client_that_hangs_up_while_sending_gets_no_view(views, spooled):
    answer = await ask(views, "/echo", method="POST", body=[b"half"], hangs_up=True)
    assert answer.status is None and answer.pieces == []
    assert spooled and all(file.closed for file in spooled)


async def test_cookies_come_and_go(views):
    answer = await ask(views, "/cookies", headers={"cookie": "b=1; a=2"})
    assert answer.body == b"seen a,b"
    set_cookies = [value for name, value in answer.headers if name == b"set-cookie"]
    assert set_cookies == [b"one=1; HttpOnly; Path=/", b'two="2 and a half"; Path=/']


async def test_a_stream_leaves_in_large_pieces_and_is_closed(views):
    answer = await ask(views, "/stream?size=1000&count=1000")
    assert answer.body == b"x" * 1_000_000 + b"end" and answer.is_ended
    assert len(answer.pieces) <= 1_000_000 // STREAM_CHUNK_BYTES + 3
    assert handler_urls.closed == ["pieces"]


async def test_an_empty_piece_does_not_end_a_stream(views):
    assert (await ask(views, "/stream?size=0&count=5")).body == b"end"


async def test_a_stream_whose_reader_goes_is_closed(views):
    with pytest.raises(ConnectionResetError):
        await ask(views, "/stream?size=300000&count=10", breaks_after=1)
    assert handler_urls.closed == ["pieces"]


async def test_a_file_is_sent_whole(views):
    answer = await ask(views, "/file")
    assert answer.body == Path(handler_urls.__file__).read_bytes()
    assert answer.header("content-length") == str(len(answer.body))


async def test_a_read_that_waits_keeps_no_other_out(views):
    found = await asyncio.gather(ask(views, "/meet"), ask(views, "/meet"))
    assert [json.loads(answer.body) for answer in found] == [{"met": True}] * 2


async def test_a_bug_is_a_500_that_tells_nothing_and_is_logged(views, caplog):
    with caplog.at_level(logging.ERROR, logger="django.request"):
        answer = await ask(views, "/fail")
    assert answer.status == 500
    assert b"4711" not in answer.body and b"ZeroDivisionError" not in answer.body
    assert "Traceback" not in answer.body.decode()
    assert any(record.exc_info for record in caplog.records)


async def test_a_thread_keeps_its_connection_from_request_to_request(views, settings, transactional_db):
    answers = await asyncio.gather(*(ask(views, "/where") for _ in range(40)))
    seen = {(found["thread"], found["connection"]) for found in (json.loads(a.body) for a in answers)}
    assert len({thread for thread, _ in seen}) <= settings.HANDLER_THREADS
    if connection.vendor == "sqlite":
        assert len(seen) == len({thread for thread, _ in seen}), "one connection per thread"


@pytest.mark.parametrize(
    "path",
    ["/login/", "/admin/login/?next=/admin/", "/admin/", "/api/v1/monitors/", "/nothing", "/static/x.css"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_pages_are_the_same_as_under_the_stock_handler(transactional_db, path, method):
    stock = ASGIHandler()
    ours, theirs = await ask(PooledHandler(), path, method=method), await ask(stock, path, method=method)
    assert ours.status == theirs.status
    assert plain(ours.body) == plain(theirs.body)
    assert sorted(name for name, _ in ours.headers) == sorted(name.lower() for name, _ in theirs.headers)
    for name in ("content-type", "location", "content-security-policy", "vary", "allow"):
        assert ours.header(name) == theirs.header(name)


def plain(body: bytes) -> str:
    """The page without the token that each one has of its own."""
    return re.sub(
        r'(csrfmiddlewaretoken" value|data-csrf)="[^"]+"', r'\1=""', body.decode("utf-8", "replace")
    )
