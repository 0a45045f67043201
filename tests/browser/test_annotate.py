"""The page of an annotation session and its stream: phones that sleep, sessions that end, a microphone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.cable import Cable
from tests.browser.conftest import PHONE, People
from tests.services import need_numpy
from tests.waiting import wait_until

# Records what the page's own code does with the browser: its streams, its visibility, its screen lock.
RECORD = """
  window.streams = [];
  const Native = window.EventSource;
  window.EventSource = class extends Native {
    constructor(url) { super(url); streams.push(this); }
  };
  window.openStreams = () => streams.filter((each) => each.readyState !== 2).length;
  window.isHidden = false;
  Object.defineProperty(document, "hidden", { get: () => window.isHidden });
  Object.defineProperty(document, "visibilityState", { get: () => (window.isHidden ? "hidden" : "visible") });
  window.turn = (hidden) => {
    window.isHidden = hidden;
    if (hidden) window.locks?.forEach((lock) => lock.release());
    document.dispatchEvent(new Event("visibilitychange"));
  };
"""
LOCK = """
  window.locks = [];
  class Lock extends EventTarget {
    released = false;
    release() { if (!this.released) { this.released = true; this.dispatchEvent(new Event("release")); } }
  }
  const request = async (kind) => {
    const lock = Object.assign(new Lock(), { kind });
    locks.push(lock);
    return lock;
  };
  Object.defineProperty(navigator, "wakeLock", { value: { request }, configurable: true });
"""
NO_LOCK = 'Object.defineProperty(navigator, "wakeLock", { value: undefined, configurable: true });'
REFUSED_LOCK = """
  window.asked = 0;
  const request = async () => { window.asked += 1; throw new DOMException("no", "NotAllowedError"); };
  Object.defineProperty(navigator, "wakeLock", { value: { request }, configurable: true });
"""
HELD = "() => locks.filter((lock) => !lock.released).length"
VOICE = """
  navigator.mediaDevices.getUserMedia = async () => {
    const audio = new AudioContext({ sampleRate: 16000 });
    const voice = audio.createOscillator();
    const speaker = audio.createMediaStreamDestination();
    voice.type = "sawtooth";
    voice.frequency.value = 140;
    voice.connect(speaker);
    voice.start();
    return speaker.stream;
  };
"""


SOUND = """
  window.sounds = [];
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(url) { super(url); if (url.endsWith("/audio")) sounds.push(this); }
  };
"""


class Annotation:
    """One session on the server, and the page that looks at it."""

    def __init__(self, cameras, people, **body) -> None:
        self.cameras, self.people = cameras, people
        body = {"organisation": "default", "kind": "annotation", "name": "call", **body}
        self.key = cameras.call("POST", "sessions/", json=body)["key"]

    def open(self, *scripts: str, live: bool = True, clock: bool = False, **options) -> Page:
        """clock: the test may wind the page's clock."""
        page = self.people.open("/annotate/", **options)
        if clock:
            page.clock.install()
        for script in (*scripts, RECORD):
            page.add_init_script(f"(() => {{ {script} }})();")
        page.goto(f"/annotate/{self.key}/")
        if live:
            expect(page.locator("#stream-state")).to_have_text("live")
        return page

    def say(self, *labels: str) -> None:
        frames = [{"label": label, "confidence": 0.8} for label in labels]
        self.cameras.call("POST", f"sessions/{self.key}/frames/", json={"frames": frames})

    def end(self) -> None:
        self.cameras.call("POST", f"sessions/{self.key}/end/", json={})

    @property
    def state(self) -> dict:
        return self.cameras.call("GET", f"sessions/{self.key}/")


@pytest.fixture
def annotation(cameras, people) -> Annotation:
    return Annotation(cameras, people, idle_ttl_s=None)


def is_question_about(annotation: Annotation):
    """Whether a request asks if the session lives."""
    return lambda request: request.url.endswith(f"/api/v1/sessions/{annotation.key}/")


def labels(page: Page) -> list[str]:
    """The frames on the page, oldest first."""
    return page.locator("#frames .frame b").all_inner_texts()[::-1]


def test_frames_arrive_live_with_their_confidence(annotation):
    annotation.say("calm")
    page = annotation.open()
    expect(page.locator("#now-label")).to_have_text("calm")
    annotation.say("urgent", "raised")
    expect(page.locator("#now-label")).to_have_text("raised")
    expect(page.locator("#now-confidence")).to_have_text("confidence 80 %")
    assert labels(page) == ["calm", "urgent", "raised"]
    expect(page.locator("#timeline rect")).to_have_count(3)
    expect(page.locator("#viewers")).to_have_text("1 viewer")


def test_hidden_closes_the_stream_and_visible_catches_up_in_the_same_session(annotation):
    page = annotation.open()
    annotation.say("calm")
    expect(page.locator("#now-label")).to_have_text("calm")
    page.evaluate("turn(true)")
    assert page.evaluate("openStreams()") == 0
    wait_until(lambda: annotation.state["subscriber_count"] == 0, 10)
    assert annotation.state["last_subscriber_left_at"]
    annotation.say("quiet", "urgent")
    assert annotation.state["state"] == "active"
    page.evaluate("turn(false)")
    expect(page.locator("#now-label")).to_have_text("urgent")
    assert labels(page) == ["calm", "quiet", "urgent"]
    expect(page.locator("#ended")).to_be_hidden()


def test_two_quick_returns_open_one_stream(annotation):
    page = annotation.open()
    page.evaluate("turn(true)")
    before = page.evaluate("streams.length")
    page.evaluate("() => { turn(false); turn(false); dispatchEvent(new Event('online')); }")
    expect(page.locator("#stream-state")).to_have_text("live")
    page.evaluate("turn(false)")
    annotation.say("calm")
    expect(page.locator("#now-label")).to_have_text("calm")
    assert page.evaluate("[streams.length, openStreams()]") == [before + 1, 1]


def test_the_screen_stays_on_while_somebody_looks(annotation):
    page = annotation.open(LOCK)
    wait_until(lambda: page.evaluate(HELD) == 1)
    assert page.evaluate("locks[0].kind") == "screen"
    page.evaluate("turn(true)")
    assert page.evaluate(HELD) == 0
    page.evaluate("turn(false)")
    wait_until(lambda: page.evaluate(HELD) == 1)
    annotation.end()
    expect(page.locator("#ended")).to_be_visible()
    assert page.evaluate(HELD) == 0
    assert page.evaluate("locks.length") == 2


@pytest.mark.parametrize("lock", [NO_LOCK, REFUSED_LOCK], ids=["absent", "rejecting"])
def test_without_a_screen_lock_nothing_is_said_and_all_works(annotation, lock):
    page = annotation.open(lock)
    page.evaluate("turn(true)")
    page.evaluate("turn(false)")
    annotation.say("calm")
    expect(page.locator("#now-label")).to_have_text("calm")
    expect(page.locator(".notice")).to_have_count(0)
    if lock == REFUSED_LOCK:
        assert page.evaluate("asked") == 2


def test_a_session_reaped_while_the_phone_slept_is_told_calmly_and_a_new_one_offered(cameras, people):
    annotation = Annotation(cameras, people, idle_ttl_s=8)
    page = annotation.open()
    annotation.say("calm")
    expect(page.locator("#now-label")).to_have_text("calm")
    page.evaluate("turn(true)")
    wait_until(lambda: annotation.state["state"] == "expired", 30)
    page.evaluate("turn(false)")
    expect(page.locator("#ended-words")).to_contain_text("because nobody was looking")
    expect(page.locator(".notice")).to_have_count(0)
    assert page.evaluate("openStreams()") == 0
    page.get_by_role("button", name="Start a new session").click()
    page.wait_for_url(lambda url: "/annotate/se_" in url and annotation.key not in url)
    expect(page.locator("#ended")).to_be_hidden()


def test_a_session_that_ends_in_front_of_the_reader_is_told_with_its_last_frames(annotation):
    page = annotation.open()
    annotation.say("calm", "urgent")
    annotation.end()
    expect(page.locator("#ended-words")).to_contain_text("This session has ended")
    assert labels(page) == ["calm", "urgent"]
    expect(page.get_by_role("button", name="important")).to_be_disabled()


def test_a_page_opened_after_the_end_shows_everything_and_the_notice(annotation):
    annotation.say("calm")
    annotation.end()
    page = annotation.open(live=False)
    expect(page.locator("#ended")).to_be_visible()
    expect(page.locator("#now-label")).to_have_text("calm")


def test_a_network_that_fails_is_no_end(annotation, people):
    page = annotation.open()
    page.evaluate("turn(true)")
    page.context.set_offline(True)
    annotation.say("calm")
    page.evaluate("turn(false)")
    page.wait_for_timeout(1500)  # the question fails, and is asked again
    expect(page.locator("#ended")).to_be_hidden()
    expect(page.locator(".notice")).to_have_count(0)
    page.context.set_offline(False)
    expect(page.locator("#now-label")).to_have_text("calm")
    people.forgive("ERR_INTERNET_DISCONNECTED", "WebSocket connection")


@pytest.fixture
def cable(browser, server, credentials, cameras):
    """(a cable to the server, people at its other end, a session)."""
    cable = Cable(server.port)
    people = People(browser, cable.url, credentials)
    yield cable, people, Annotation(cameras, people, idle_ttl_s=None)
    people.close()
    cable.close()
    people.forgive("net::ERR_", "WebSocket connection")
    assert people.complaints == []


def test_a_network_that_is_cut_while_somebody_looks_is_no_end_and_heals(cable):
    cable, people, annotation = cable
    page = annotation.open()
    annotation.say("calm")
    expect(page.locator("#now-label")).to_have_text("calm")
    with page.expect_event("requestfailed", lambda request: "/stream/session:" in request.url):
        cable.cut()
    annotation.say("quiet", "urgent")
    expect(page.locator("#stream-state")).to_have_text("reconnecting")
    expect(page.locator("#ended")).to_be_hidden()
    expect(page.locator(".notice")).to_have_count(0)
    cable.mend()
    expect(page.locator("#stream-state")).to_have_text("live")
    expect(page.locator("#now-label")).to_have_text("urgent")
    assert labels(page) == ["calm", "quiet", "urgent"]
    assert page.evaluate("openStreams()") == 1


def test_the_question_during_a_cut_fails_in_silence_and_is_asked_again(cable):
    cable, people, annotation = cable
    page = annotation.open()
    page.evaluate("turn(true)")
    with page.expect_event("requestfailed", is_question_about(annotation)):
        cable.cut()
        page.evaluate("turn(false)")
    annotation.say("calm")
    expect(page.locator("#ended")).to_be_hidden()
    expect(page.locator(".notice")).to_have_count(0)
    with page.expect_request(is_question_about(annotation)):
        cable.mend()
    expect(page.locator("#now-label")).to_have_text("calm")
    assert page.evaluate("openStreams()") == 1


def test_a_session_that_ended_during_a_cut_is_told_when_the_network_is_back(cable):
    cable, people, annotation = cable
    page = annotation.open()
    with page.expect_event("requestfailed", lambda request: "/stream/session:" in request.url):
        cable.cut()
    annotation.say("calm")
    annotation.end()
    expect(page.locator("#ended")).to_be_hidden()
    cable.mend()
    expect(page.locator("#ended-words")).to_contain_text("This session has ended")
    assert labels(page) == ["calm"]
    expect(page.locator(".notice")).to_have_count(0)


def test_a_stream_that_falls_silent_is_replaced_after_a_question(annotation):
    page = annotation.open(clock=True)
    before = page.evaluate("streams.length")
    with page.expect_request(is_question_about(annotation)):
        page.clock.fast_forward(40_000)
    wait_until(lambda: page.evaluate("[streams.length, openStreams()]") == [before + 1, 1])
    annotation.say("calm")
    expect(page.locator("#now-label")).to_have_text("calm")
    expect(page.locator(".notice")).to_have_count(0)


def test_a_stream_that_is_refused_while_somebody_looks_asks_whether_the_session_lives(annotation, people):
    page = annotation.open()
    page.route("**/stream/session:**", lambda route: route.fulfill(status=404, body=""))
    page.evaluate("turn(true)")
    page.evaluate("turn(false)")
    with page.expect_request(is_question_about(annotation)):
        wait_until(lambda: page.evaluate("streams.at(-1).readyState === 2"))
    expect(page.locator("#ended")).to_be_hidden()
    page.unroute("**/stream/session:**")
    annotation.end()
    expect(page.locator("#ended")).to_be_visible()
    people.forgive("404")


def test_every_label_has_a_row_of_its_own_with_its_name(annotation):
    """So that nobody has to tell two colours apart, and in red there is only one."""
    annotation.say("calm", "urgent", "calm")
    page = annotation.open()
    expect(page.locator("#timeline rect")).to_have_count(3)
    assert page.locator("#legend li").all_inner_texts() == ["calm", "urgent"]
    bottoms = page.eval_on_selector_all(
        "#timeline rect", "(bars) => bars.map((bar) => bar.y.baseVal.value + bar.height.baseVal.value)"
    )
    assert bottoms == pytest.approx([50, 100, 50], abs=0.2)


def test_on_a_phone_a_mark_is_confirmed_beside_its_button(annotation):
    page = annotation.open(viewport=PHONE, has_touch=True)
    page.get_by_role("button", name="question").tap()
    expect(page.locator("#marked")).to_have_text(re.compile(r"^Marked “question” at 0:\d\d\.$"))
    expect(page.locator("#timeline line")).to_have_count(1)


def test_keys_put_markers_on_the_timeline(annotation):
    page = annotation.open()
    page.keyboard.press("2")
    expect(page.locator("#frames")).to_contain_text("mark: question")
    expect(page.locator("#timeline line")).to_have_count(1)


def test_the_export_is_a_file_with_frames_and_markers(annotation):
    import json

    annotation.say("calm", "urgent")
    page = annotation.open()
    page.keyboard.press("1")
    expect(page.locator("#frames")).to_contain_text("mark: important")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == f"annotation-{annotation.key}.json"
    told = json.loads(download.value.path().read_text())
    assert [event["kind"] for event in told["events"]] == ["frame", "frame", "marker"]


def test_the_microphone_makes_frames(annotation):
    need_numpy()
    page = annotation.open(VOICE)
    page.get_by_role("button", name="Start the microphone").click()
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#now-label")).to_have_text("calm", timeout=20_000)
    page.get_by_role("button", name="Stop the microphone").click()
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "false")


def test_the_microphone_stays_on_while_the_network_is_away(annotation):
    need_numpy()
    page = annotation.open(VOICE, SOUND)
    page.get_by_role("button", name="Start the microphone").click()
    expect(page.locator("#now-label")).to_have_text("calm", timeout=20_000)
    page.evaluate("sounds.at(-1).close()")
    expect(page.locator("#microphone-hint")).to_have_text("The microphone is on and waits for the network.")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
    wait_until(lambda: page.evaluate("[sounds.length, sounds.at(-1).readyState]") == [2, 1])
    expect(page.locator("#microphone-hint")).to_be_empty()
    expect(page.locator(".notice")).to_have_count(0)


def test_the_end_of_the_session_stops_the_microphone_without_an_alarm(annotation):
    need_numpy()
    page = annotation.open(VOICE)
    page.get_by_role("button", name="Start the microphone").click()
    expect(page.locator("#now-label")).to_have_text("calm", timeout=20_000)
    annotation.end()
    expect(page.locator("#ended-words")).to_contain_text("This session has ended")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".notice")).to_have_count(0)


def test_a_session_starts_from_the_list(people):
    page = people.open("/annotate/")
    page.get_by_label("Name").fill("call 12")
    page.get_by_role("button", name="Start a session").click()
    page.wait_for_url("**/annotate/se_*/")
    expect(page.locator("#session-name")).to_have_text("call 12")
