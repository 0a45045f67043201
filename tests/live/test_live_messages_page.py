"""docs/live-messages.md says what the code does."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest
from django.urls import resolve

from sessions_app.messages import EventMessage
from sessionsite.accounts.services import TICKET_LIFE
from sessionsite.common import consumers, live
from sessionsite.common import hub as hub_module
from sessionsite.common.errors import Missing, NotAuthenticated
from sessionsite.common.hub import feed, frames, outbox, reader
from sessionsite.common.live import Snapshot

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "live-messages.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose first heading is this one."""
    lines = PAGE[PAGE.index(f"| {heading} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_topics_are_those_that_are_registered():
    told = {words(row[0])[0].partition(":")[0]: row[2].startswith("yes") for row in table("topic")}
    assert told == {prefix: topic.has_events for prefix, topic in live._registry.topics.items()}


def test_the_addresses_of_the_page_exist():
    addresses = re.findall(r"`(?:GET|POST) (/api/[^`?]*)", PAGE) + re.findall(r"`(/api/[^`?]*)", PAGE)
    assert len(addresses) >= 5
    for address in addresses:
        assert resolve(re.sub(r"<[a-z]+>", "x", address))


def test_the_frames_have_the_fields_of_the_page():
    snapshot = Snapshot(1, 1, {})
    made = [
        frames.snapshot_frame("a:b", snapshot),
        frames.state_frame("a:b", snapshot),
        frames.event_frame("a:b", 1, {}),
        frames.gap_frame("a:b", after=1, upto=2, address="/x"),
        frames.heartbeat_frame({"a:b": (1, None)}),
        frames.error_frame(Missing("x"), "a:b"),
    ]
    told = {words(row[0])[0]: {"type", *words(row[1])} for row in table("type")}
    assert {frame.type: set(ast.literal_eval(literal(frame))) for frame in made} == told


def literal(frame) -> str:
    return frame.text.replace("null", "None").replace("true", "True").replace("false", "False")


def test_an_event_has_the_fields_of_the_page():
    sentence = PAGE[PAGE.index("An `event` holds") :].split("\n\n")[0]
    assert words(sentence)[1:] == [field.name for field in fields(EventMessage)]


def test_the_codes_of_errors_are_those_of_the_code():
    refusals = (
        *(consumers.BadMessage, live.UnknownTopic, live.NoEvents, NotAuthenticated, feed.Gone),
        *(hub_module.TooManyTopics, hub_module.TooManyReaders),
    )
    assert {words(row[0])[0] for row in table("code of an error")} == {error.code for error in refusals}


def test_the_close_codes_are_those_of_the_code():
    used = {
        value
        for module in (consumers, hub_module)
        for name, value in vars(module).items()
        if name.startswith("CLOSE_") and isinstance(value, int) and value not in (reader.CLOSE_LOST,)
    }
    assert {int(row[0]) for row in table("close code")} == used


def test_the_messages_are_those_that_are_obeyed():
    told = {re.search(r'"type": "(\w+)"', row[0])[1] for row in table("message")}
    assert told == {"subscribe", "unsubscribe", "ack", "auth", *live._registry.commands}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (r"The first message, within (\d+) s", consumers.AUTH_WITHIN_S),
        (r"lasts (\d+) s", TICKET_LIFE.total_seconds()),
        (r"at most ([\d,]+) characters", consumers.MESSAGE_BYTES),
        (r"At most (\d+) are on their way", reader.ACK_WINDOW),
        (r"at most (\d+) a second", 1 / feed.FRAME_INTERVAL_S),
        (r"`heartbeat` \| [^|]* \| every (\d+) s", hub_module.HEARTBEAT_S),
        (r"more than ([\d,]+) events back", feed.REPLAY_EVENTS),
        (r"with (\d+) kB waiting", outbox.OUTBOX_BYTES / 1024),
        (r"more than (\d+) topics", hub_module.TOPICS_PER_READER),
        (r"more than ([\d,]+) open connections", hub_module.READERS_PER_CREDENTIAL),
        (r"nothing was taken for (\d+) s", hub_module.SLOW_LIMIT_S),
    ],
)
def test_the_limits_are_those_of_the_code(text, number):
    [told] = re.findall(text, PAGE)
    assert float(told.replace(",", "")) == pytest.approx(number)


def test_the_tenth_message_without_sense_is_the_last():
    assert consumers.JUNK_LIMIT == 10 and "the tenth such message closes" in PAGE


def test_the_example_is_python():
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compile(example, "docs/live-messages.md", "exec")
