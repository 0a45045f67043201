"""A real server in this process, on real sockets and real threads, over the database of the test."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from django.db import connection, connections

from monitoring.services import create_monitor
from sessionsite.accounts.services import create_organisation, create_token


@pytest.fixture
def organisation(transactional_db):
    return create_organisation("race", by="test")


@pytest.fixture
def monitor(organisation):
    return create_monitor(organisation, slug="race-cam", by="test")


@pytest.fixture
def token(organisation) -> str:
    return create_token(organisation, name="camera", role="operator", by="test")[1]


@pytest.fixture
def address(transactional_db, settings) -> Iterator[str]:
    """Where the server listens: the same application, server and pool of threads as `serve` runs."""
    settings.BACKGROUND_LOOPS = False
    logging.getLogger("httpx").setLevel(logging.WARNING)
    from sessionsite.lanes import Site

    config = uvicorn.Config(Site(), host="127.0.0.1", port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def startup_and_tell(sockets=None) -> None:
        await startup(sockets)
        started.set()

    server.startup = startup_and_tell
    thread = threading.Thread(target=server.run, name="server", daemon=True)
    thread.start()
    assert started.wait(20), "the server did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def at_once() -> Callable:
    """at_once(16, func) -> the results of func(0) … func(15), all begun at the same moment.

    connected=True: each thread has a connection to the database before that moment. The pool would else make
    one after the other, and they would not race.
    """

    def run(count: int, func: Callable[[int], object], *, connected: bool = False) -> list:
        gate = threading.Barrier(count)
        results: list = [None] * count

        def work(number: int) -> None:
            try:
                if connected:
                    connection.ensure_connection()
                gate.wait(30)
                results[number] = func(number)
            except Exception as error:
                results[number] = error
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed := [result for result in results if isinstance(result, Exception)]:
            raise failed[0]
        return results

    return run
