"""Sixteen at once start or stop one monitor: one of them does it, fifteen are told that it was done."""

from collections import Counter

import httpx
import pytest
from django.test import Client

from sessions_app.models import Session, SessionEvent
from sessions_app.states import State

RACERS = 16
ROUNDS = 4


@pytest.fixture(params=["handler", "http"])
def race(request, token, at_once):
    """race(verb_of) -> sixteen answers to requests sent at once: in threads of their own, or over sockets."""
    headers = {"Authorization": f"Bearer {token}"}
    if request.param == "handler":
        return lambda verb_of: at_once(
            RACERS,
            lambda number: _answer(Client().get(f"/monitor/race-cam/{verb_of(number)}", headers=headers)),
            connected=True,
        )
    url = request.getfixturevalue("address") + "/monitor/race-cam/"
    return lambda verb_of: at_once(
        RACERS, lambda number: _answer(httpx.get(url + verb_of(number), headers=headers, timeout=60))
    )


def _answer(response) -> tuple[int, str]:
    return response.status_code, response.content.decode()


def winners_and_losers(won: str, lost: str) -> Counter:
    return Counter({
        (200, f'{{"data":{{"result":"{won}","error":false}}}}'): 1,
        (200, f'{{"data":{{"result":"{lost}","error":true}}}}'): RACERS - 1,
    })  # fmt: skip


def test_one_of_sixteen_starts_and_one_of_sixteen_stops(monitor, race):
    for number in range(1, ROUNDS + 1):
        started = Counter(race(lambda _: "start"))
        assert started == winners_and_losers("Started", "Error: Already started")
        assert Session.objects.open().filter(monitor=monitor).count() == 1
        stopped = Counter(race(lambda _: "stop"))
        assert stopped == winners_and_losers("Stopped", "Error: already stopped")
        assert Session.objects.filter(monitor=monitor, state=State.COMPLETED).count() == number
    kinds = SessionEvent.objects.values_list("kind", flat=True)
    assert Counter(kinds) == {"started": ROUNDS, "stopped": ROUNDS}


def test_starts_and_stops_against_each_other_leave_a_sound_record(monitor, race):
    answers = race(lambda number: "start" if number % 2 else "stop")
    assert {status for status, _ in answers} == {200}
    won = Counter(body.split('"')[5] for _, body in answers if "false" in body)
    sessions = list(Session.objects.filter(monitor=monitor))
    assert won["Started"] == len(sessions)
    assert won["Stopped"] == sum(not each.is_open for each in sessions)
    for each in sessions:
        assert list(each.events.values_list("seq", flat=True)) == list(range(1, each.last_seq + 1))
