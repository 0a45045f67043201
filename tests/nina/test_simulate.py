"""`simulate_nina` as a person starts it: a history, live frames at their pace, cuts, repeats."""

from __future__ import annotations

import json
from collections import Counter

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.nina.night import FOLDER
from tests.nina.night import script as recorded_night
from tests.site.processes import Process, running
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]


def test_it_plays_a_night_with_cuts_and_repeats_as_nina_would(tmp_path):
    options = ("--port", "0", "--speed", "3600", "--drop-every", "1.5", "--down", "0.5", "--dup", "0.5")
    with running(
        Process, "simulate_nina", str(FOLDER), *options, "--newer-plugin", data_dir=tmp_path
    ) as nina:
        url = nina.wait_for_line(r"NINA answers on (http\S+) with 286 events")[1]
        heard, ends, refusals = Counter(), [], []
        while "All" not in nina.output:
            try:
                with connect(f"ws{url.removeprefix('http')}/v2/socket", proxy=None) as socket:
                    for text in socket:
                        heard[text] += 1
            except ConnectionClosed as end:
                ends.append(end)
            except InvalidStatus as refusal:  # it is down for a moment
                refusals.append(refusal)
        assert ends and refusals and set(heard.values()) >= {1, 2}
        answer = wait_until(lambda: answered(f"{url}/v2/api/event-history"), 10, "the history")
        told = recorded_night(loses_nested=True)
        assert len(answer.json()["Response"]) == len(told.history_after(len(told.frames)))
        assert answer.headers["x-clock-speed"] == "3600"
        turned = [entry for entry in answer.json()["Response"] if entry["Event"] == "FILTERWHEEL-CHANGED"]
        assert {json.dumps(entry["New"]) for entry in turned} == {'{"Name": [], "Id": []}'}
        assert answered(f"{url}/v2/api/application-start")


def answered(address: str) -> httpx.Response | None:
    answer = httpx.get(address, trust_env=False)
    return answer if answer.status_code == 200 else None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((".",), "no recorded night"),
        ((str(FOLDER), "--dup", "2"), "from 0 to 1"),
        ((str(FOLDER), "--speed", "0"), "above zero"),
    ],
)
def test_what_cannot_be_played_is_named(tmp_path, words, why):
    with running(Process, "simulate_nina", *words, "--port", "0", data_dir=tmp_path) as nina:
        assert nina.child.wait(20) != 0
        wait_until(lambda: why in nina.output, 10, why)
