"""Topics in, frames out: what a socket of the real application shows of monitors and sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from monitoring.models import Image, Monitor, PictureEditor
from monitoring.services import (
    NewImage,
    add_image,
    add_images,
    add_tag,
    archive_monitor,
    create_monitor,
    edit_picture,
    leave_picture,
    start_monitor,
    stop_monitor,
)
from monitoring.services.editors import LEASE_S, forget_gone_editors
from sessions_app import services as sessions
from sessions_app.models import Session, SessionEvent
from sessionsite.common import consumers
from sessionsite.common import hub as hub_module
from sessionsite.common.hub import get_hub, reader, shutdown
from tests.pictures import picture
from tests.waiting import in_thread, until

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_monitor_page_sees_a_whole_shift(connect, monitor, token):
    socket = await connect("?topic=monitor:cam-1", token=token)
    first = await socket.next("snapshot")
    assert first["data"]["status"] == "idle" and first["seq"] is None
    session = await in_thread(start_monitor, monitor, by="ann")
    state = await socket.next("state")
    assert state["topic"] == "monitor:cam-1" and state["revision"] > first["revision"]
    assert state["data"]["running"] is True and state["data"]["session"]["key"] == session.key
    await socket.send({"type": "subscribe", "topic": f"session:{session.key}", "after": 0})
    snapshot = await socket.next("snapshot", topic=f"session:{session.key}")
    assert snapshot["seq"] == 1 and (await socket.next("event"))["event"]["kind"] == "started"
    await in_thread(add_image, NewImage(data=picture(), monitor=monitor, label="OK", name="1.jpg"))
    event = await socket.next("event")
    assert (event["seq"], event["event"]["kind"], event["event"]["detail"]["count"]) == (2, "images_added", 1)
    while (await socket.next("state", topic="monitor:cam-1"))["data"]["total_counter"] < 1:
        continue
    await in_thread(stop_monitor, monitor, by="bob")
    stopped = await socket.next("event")
    assert (stopped["event"]["kind"], stopped["event"]["detail"]["total_counter"]) == ("stopped", 1)
    while (await socket.next("state", topic="monitor:cam-1"))["data"]["running"]:
        continue


async def test_a_corrected_box_reaches_whoever_looks_at_session_and_monitor(connect, image, session, token):
    socket = await connect(f"?topic=session:{session.key}&topic=monitor:cam-1", token=token)
    await socket.next("snapshot", topic="monitor:cam-1")
    await in_thread(add_tag, image, label="scratch", x=0, y=0, w=1, h=1, by="ann")
    seen = {"event": False, "session": False, "monitor": False}
    while not all(seen.values()):
        frame = await socket.next()
        if frame["type"] == "event":
            seen["event"] = frame["event"]["kind"] == "tags_changed"
        elif frame["topic"].startswith("session:"):
            seen["session"] = frame["data"]["tag_counts"] == {"scratch": 1}
        else:
            seen["monitor"] = frame["data"]["last_image"]["tags"][0]["label"] == "scratch"


async def test_the_wall_sees_transitions_but_not_every_picture(connect, monitor, token):
    socket = await connect("?topic=fleet:default", token=token)
    assert (await socket.next("snapshot"))["data"]["counts"]["idle"] == 1
    await in_thread(start_monitor, monitor, by="ann")
    state = await socket.next("state")
    assert state["data"]["counts"] == {"running": 1, "late": 0, "lost": 0, "idle": 0, "error": 0}
    assert state["data"]["events"][0]["kind"] == "started"
    await in_thread(add_image, NewImage(data=picture(), monitor=monitor))
    assert await socket.silent(0.4)


async def test_a_snapshot_is_the_answer_of_rest(connect, image, session, token):
    topics = {
        "monitor:cam-1": "/api/v1/monitors/cam-1/state/",
        f"session:{session.key}": f"/api/v1/sessions/{session.key}/",
        "fleet:default": "/api/v1/fleet/",
    }
    socket = await connect("?" + "&".join(f"topic={topic}" for topic in topics), token=token)
    client = Client(headers={"authorization": f"Bearer {token}", "host": "testserver"})
    for topic, address in topics.items():
        snapshot = await socket.next("snapshot", topic=topic)
        answer = await in_thread(lambda address=address: client.get(address).json())
        assert timeless(snapshot["data"]) == timeless(answer)
        assert snapshot["revision"] == answer["revision"]


def timeless(data):
    """Without what moves by itself: the moment of the answer, the rate's grid, the free bytes."""
    if isinstance(data, dict):
        return {
            key: timeless(value)
            for key, value in data.items()
            if key not in ("at", "until", "recent", "disk")
        }
    return [timeless(value) for value in data] if isinstance(data, list) else data


async def test_after_resumes_and_a_gap_says_where_to_read_the_rest(connect, organisation, monitor, token):
    session = await in_thread(start_monitor, monitor, by="ann")

    def write() -> None:
        entry = {"session": session, "organisation": organisation, "kind": "marker", "detail": {"label": "x"}}
        SessionEvent.objects.bulk_create(SessionEvent(seq=seq, **entry) for seq in range(2, 1206))
        Session.objects.update(last_seq=1205)

    await in_thread(write)
    topic = f"session:{session.key}"
    socket = await connect(token=token)
    await socket.send({"type": "subscribe", "topic": topic, "after": 1200})
    assert (await socket.next())["type"] == "snapshot"
    assert [(await socket.next("event"))["seq"] for _ in range(5)] == [1201, 1202, 1203, 1204, 1205]
    await socket.send({"type": "subscribe", "topic": topic, "after": 5})
    assert (await socket.next())["type"] == "snapshot"
    gap = await socket.next()
    assert (gap["after"], gap["missed"]) == (5, gap["upto"] - 5) and gap["upto"] >= 205
    client = Client(headers={"authorization": f"Bearer {token}", "host": "testserver"})
    missed = await in_thread(lambda: client.get(gap["events"]))
    assert missed.status_code == 200 and missed.json()["results"][0]["seq"] == 6
    seq = gap["upto"]
    while seq < 1205:
        frame = await socket.next()
        assert frame["type"] in ("event", "gap")
        assert (frame["seq"] if frame["type"] == "event" else frame["after"] + 1) == seq + 1
        seq = frame["seq"] if frame["type"] == "event" else frame["upto"]


async def test_a_finished_session_shows_its_end_and_stays_open(connect, monitor, session, token):
    await in_thread(stop_monitor, monitor, by="ann")
    socket = await connect(f"?topic=session:{session.key}", token=token)
    assert (await socket.next("snapshot"))["data"]["state"] == "completed"
    await in_thread(lambda: sessions.set_name_notes(Session.objects.get(), by="ann", notes="late words"))
    assert (await socket.next("event"))["event"]["kind"] == "notes_changed"
    assert (await socket.next("state"))["data"]["notes"] == "late words"


# --- topics that are not there --------------------------------------------------------------------


async def test_unknown_and_foreign_topics_look_the_same_and_close_with_4404(
    connect, monitor, session, foreign_token
):
    told = []
    for name in ("monitor:cam-1", "monitor:none", f"session:{session.key}", "fleet:default", "colour:red"):
        socket = await connect(f"?topic={name}", token=foreign_token)
        code, frames = await socket.closed()
        assert code == 4404
        told.append(str(frames).replace(name, "TOPIC"))
    assert len(set(told)) == 1


async def test_one_topic_that_is_there_keeps_the_socket(connect, monitor, token):
    socket = await connect("?topic=monitor:none&topic=monitor:cam-1", token=token)
    assert {(await socket.next())["type"] for _ in range(2)} == {"error", "snapshot"}
    await socket.send({"type": "subscribe", "topic": "monitor:none"})
    error = await socket.next("error")
    assert (error["code"], error["topic"]) == ("unknown_topic", "monitor:none")
    assert error.keys() == {"type", "error", "code", "details", "topic"}


async def test_after_is_an_error_where_there_are_no_events(connect, monitor, token):
    socket = await connect("?topic=monitor:cam-1", token=token)
    for topic in ("monitor:cam-1", "fleet:default"):
        await socket.send({"type": "subscribe", "topic": topic, "after": 0})
        error = await socket.next("error")
        assert (error["code"], error["topic"]) == ("no_events", topic)
    await in_thread(start_monitor, monitor, by="ann")
    await socket.next("state", topic="monitor:cam-1")


async def test_an_archived_monitor_is_gone_for_its_readers(connect, monitor, token):
    socket = await connect("?topic=monitor:cam-1", token=token)
    await socket.next("snapshot")
    await in_thread(archive_monitor, monitor, by="ann")
    error = await socket.next("error")
    assert (error["code"], error["topic"]) == ("gone", "monitor:cam-1")


async def test_an_unsubscribed_topic_is_silent(connect, monitor, token):
    socket = await connect("?topic=monitor:cam-1", token=token)
    await socket.next("snapshot")
    await socket.send({"type": "unsubscribe", "topic": "monitor:cam-1"})
    await until(lambda: not get_hub().feeds)
    await in_thread(start_monitor, monitor, by="ann")
    assert await socket.silent(0.3)
    await socket.send({"type": "subscribe", "topic": "monitor:cam-1"})
    assert (await socket.next("snapshot"))["data"]["running"] is True


async def test_topics_per_socket_are_bounded(connect, organisation, token, monkeypatch):
    monkeypatch.setattr(hub_module, "TOPICS_PER_READER", 3)
    monkeypatch.setattr(consumers, "TOPICS_PER_READER", 3)

    def make() -> None:
        for number in range(5):
            create_monitor(organisation, slug=f"m{number}", by="test")

    await in_thread(make)
    socket = await connect("?" + "&".join(f"topic=monitor:m{number}" for number in range(4)), token=token)
    frames = [await socket.next() for _ in range(4)]
    assert [frame["type"] for frame in frames].count("snapshot") == 3
    assert [frame["code"] for frame in frames if frame["type"] == "error"] == ["too_many_topics"]


# --- junk -----------------------------------------------------------------------------------------

JUNK = (
    *("", "not json", "[]", "7", '"text"', "null", "true", "{", '{"a":' * 2000, "x" * 20_000),
    *(b"binary", b"", b"\xff\xfe", '{"type":"subscribe"}', '{"type":"subscribe","topic":7}'),
    *('{"type":"subscribe","topic":null}', '{"type":"dance"}', "{}", '{"type":["subscribe"]}'),
    *(
        '{"type":"unsubscribe"}',
        '{"type":"ack"}',
        '{"type":"ack","frames":-1}',
        '{"type":"ack","frames":true}',
    ),
    *(
        f'{{"type":"subscribe","topic":"session:x","after":{after}}}'
        for after in ("-1", "1.5", '"1"', "true")
    ),
    f'{{"type":"subscribe","topic":"session:x","after":{2**63}}}',
)


async def test_junk_is_answered_and_the_socket_goes_on(connect, monitor, token, monkeypatch):
    monkeypatch.setattr(consumers, "JUNK_LIMIT", 10_000)
    socket = await connect(token=token)
    for junk in JUNK:
        await socket.send(junk)
        error = await socket.next()
        assert (error["type"], error["code"]) == ("error", "bad_message"), junk
        assert error.keys() == {"type", "error", "code", "details"}
    await socket.send({"type": "subscribe", "topic": "monitor:cam-1"})
    assert (await socket.next())["type"] == "snapshot"


async def test_the_tenth_piece_of_junk_closes_with_4400(connect, monitor, token):
    socket = await connect("?topic=monitor:cam-1", token=token)
    await socket.next("snapshot")
    for _ in range(9):
        await socket.send("junk")
        await socket.next("error")
    await socket.send("junk")
    code, frames = await socket.closed()
    assert code == 4400 and [frame["code"] for frame in frames] == ["bad_message"]
    await until(lambda: not get_hub().readers)


@pytest.mark.parametrize("topic", ["monitor:\\u0000", "monitor:a'b", "monitor:ä", "session:%00", "x" * 5000])
async def test_names_that_cannot_be_are_unknown_topics(connect, organisation, token, topic):
    socket = await connect(token=token)
    await socket.send(f'{{"type":"subscribe","topic":"{topic}"}}')
    error = await socket.next()
    assert error["code"] == "unknown_topic" and len(error["details"]["topic"]) <= 120


async def test_another_address_is_no_socket(application):
    from channels.testing import WebsocketCommunicator

    wire = WebsocketCommunicator(application, "/ws/other/")
    assert (await wire.connect())[0]
    assert await wire.receive_output() == {"type": "websocket.close", "code": 4404}
    await wire.wait()


# --- pace and end ---------------------------------------------------------------------------------


def write_markers(session: Session, count: int, label: str = "x") -> None:
    for _ in range(count):
        sessions.append(session, "marker", detail={"label": label})


async def test_an_acknowledging_reader_has_a_bounded_number_of_frames_on_their_way(
    connect, monitor, session, token
):
    await in_thread(write_markers, session, 100)
    socket = await connect("?ack=1", token=token)
    await socket.send({"type": "subscribe", "topic": f"session:{session.key}", "after": 0})
    for _ in range(reader.ACK_WINDOW):
        await socket.next()
    assert await socket.silent(0.2)
    await socket.send({"type": "ack", "frames": reader.ACK_WINDOW})
    while (await socket.next("event"))["seq"] < 101:
        continue


async def test_who_acknowledges_gets_any_backlog_and_what_it_asks_meanwhile(connect, monitor, session, token):
    await in_thread(write_markers, session, 300, "x" * 2000)
    socket = await connect("?ack=1", token=token)
    await socket.send({"type": "subscribe", "topic": f"session:{session.key}", "after": 0})
    await socket.send({"type": "subscribe", "topic": "monitor:cam-1"})
    seen, frames, frame = [], 0, {}
    while seen != list(range(1, 302)) or frame.get("topic") != "monitor:cam-1":
        frame = await socket.next()
        frames += 1
        if frame["type"] == "event":
            seen.append(frame["seq"])
        await socket.send({"type": "ack", "frames": frames})


async def test_messages_that_wait_for_acknowledgements_are_bounded(connect, session, token):
    await in_thread(write_markers, session, 300, "x" * 2000)
    socket = await connect("?ack=1", token=token)
    for _ in range(consumers.MESSAGES_WAITING + consumers.JUNK_LIMIT + 1):
        await socket.send({"type": "subscribe", "topic": f"session:{session.key}", "after": 0})
    code, _ = await socket.closed()
    assert code == 4400


async def test_a_command_in_another_thread_of_work_is_seen_without_any_push(
    connect, monitor, session, token, monkeypatch
):
    """As from another process: nothing is announced here, the check of each second finds it."""
    from sessionsite.common import live

    socket = await connect(f"?topic=session:{session.key}", token=token)
    await socket.next("snapshot")
    monkeypatch.setattr(live, "_wake", lambda *numbers: None)
    await in_thread(stop_monitor, monitor, by="command")
    assert (await socket.next("event"))["event"]["kind"] == "stopped"


async def test_a_server_that_goes_away_says_so(connect, monitor, token):
    socket = await connect("?topic=monitor:cam-1", token=token)
    await socket.next("snapshot")
    await shutdown()
    assert (await socket.closed())[0] == 4012


async def test_a_client_that_goes_leaves_nothing_behind(connect, monitor, session, token):
    sockets = [
        await connect(f"?topic=monitor:cam-1&topic=session:{session.key}", token=token) for _ in range(5)
    ]
    for socket in sockets:
        await socket.next("snapshot")
    assert len(get_hub().readers) == 5
    for socket in sockets:
        await socket.end()
    await until(lambda: not get_hub().readers and not get_hub().feeds)


async def test_ten_pictures_a_second_of_many_readers_lose_no_event(connect, monitor, session, token):
    sockets = [await connect(f"?topic=session:{session.key}", token=token) for _ in range(3)]
    for socket in sockets:
        await socket.next("snapshot")

    def post() -> None:
        for number in range(10):
            add_images([NewImage(data=picture(number * 2 + n), monitor=monitor) for n in range(2)])

    await in_thread(post)
    for socket in sockets:
        assert [(await socket.next("event"))["seq"] for _ in range(10)] == list(range(2, 12))
    assert await in_thread(Image.objects.count) == 20
    assert await in_thread(lambda: Monitor.objects.get().last_image_id is not None)


async def test_who_has_a_picture_open_sees_the_others_and_their_edits(
    connect, image, session, token, organisation
):
    topic = f"image:{image.key}"
    socket = await connect(f"?topic={topic}", token=token)
    first = await socket.next("snapshot", topic=topic)
    assert (first["data"]["tags"], first["data"]["editors"], first["seq"]) == ([], [], None)
    await in_thread(edit_picture, image, client="page-of-ann", name="ann")
    state = await socket.next("state", topic=topic)
    assert [editor["name"] for editor in state["data"]["editors"]] == ["ann"]
    assert state["data"]["revision"] == first["data"]["revision"] < state["revision"]
    tag = await in_thread(add_tag, image, label="scratch", x=0, y=0, w=1, h=1, by="ann")
    state = await socket.next("state", topic=topic)
    [shown] = state["data"]["tags"]
    assert (shown["key"], shown["author"], shown["revision"]) == (tag.key, "ann", 1)
    await in_thread(edit_picture, image, client="page-of-ann", name="ann", tag_key=tag.key)
    assert (await socket.next("state", topic=topic))["data"]["editors"][0]["tag"] == tag.key
    await in_thread(leave_picture, image, client="page-of-ann", name="somebody else")
    await in_thread(leave_picture, image, client="page-of-ann", name="ann")
    assert (await socket.next("state", topic=topic))["data"]["editors"] == []


def test_an_editor_who_falls_silent_is_forgotten(image):
    now = timezone.now()
    edit_picture(image, client="page-of-ann", name="ann")
    edit_picture(image, client="page-of-bob", name="bob")
    PictureEditor.objects.filter(name="ann").update(renewed_at=now - timedelta(seconds=LEASE_S + 1))
    assert [editor.name for editor in edit_picture(image, client="page-of-bob", name="bob")] == ["bob"]
    PictureEditor.objects.update(renewed_at=now - timedelta(seconds=LEASE_S + 1))
    assert forget_gone_editors() == 1
