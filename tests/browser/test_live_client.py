"""js/live.js and js/feed.js in a real browser against a scripted socket: order, gaps, reconnects, polling."""

import pytest

# A scripted server: tests call open(), send(frame) and close(code) on the newest socket.
SCRIPT = """
async () => {
  const { LiveClient, pauseBefore } = await import("/static/monitoring/js/live.js");
  const sockets = [];
  class Socket {
    constructor() { this.sent = []; this.readyState = 0; sockets.push(this); }
    send(text) { this.sent.push(JSON.parse(text)); }
    open() { this.readyState = 1; this.onopen(); }
    frame(frame) { this.onmessage({ data: JSON.stringify(frame) }); }
    end(code) { this.readyState = 3; this.onclose({ code }); }
    close() { this.readyState = 3; }
  }
  const asked = [];
  const answers = new Map();
  const request = async (url) => {
    asked.push(url);
    const answer = answers.get(url.split("?")[0]);
    if (!answer) throw new Error(`unexpected request ${url}`);
    return answer(new URL(url, location.origin));
  };
  const seen = [];
  const client = new LiveClient({ openSocket: () => new Socket(), request });
  const listener = (name) => ({
    state: (data) => seen.push([name, "state", data.n]),
    event: (event) => seen.push([name, "event", event.seq]),
    gap: (gap) => seen.push([name, "gap", gap.missed]),
    error: (frame) => seen.push([name, "error", frame.code]),
  });
  Object.assign(window, { client, sockets, asked, answers, seen, listener, pauseBefore });
  window.newest = () => sockets.at(-1);
  const at = new Date().toISOString();
  window.snapshot = (topic, revision, seq = null) =>
    newest().frame({ type: "snapshot", topic, revision, seq, at, data: { n: revision } });
  window.state = (topic, revision) =>
    newest().frame({ type: "state", topic, revision, at, data: { n: revision } });
  window.heartbeat = (topics) => newest().frame({ type: "heartbeat", at, topics });
  window.kinds = (kind) => seen.filter((each) => each[1] === kind).map((each) => each[2]);
  window.event = (seq) => newest().frame({ type: "event", topic: "session:a", seq, event: { seq } });
  window.settled = () => new Promise((resolve) => setTimeout(resolve, 0));
}
"""


@pytest.fixture
def page(people):
    """A page without live data of its own, with a client and a scripted socket."""
    page = people.open("/no-such-page/")
    people.forgive("404")
    page.evaluate(SCRIPT)
    return page


def test_only_newer_states_are_handed_out(page):
    assert page.evaluate(
        """() => {
          client.subscribe("monitor:a", listener("a"));
          client.start(); newest().open();
          snapshot("monitor:a", 5); state("monitor:a", 4); state("monitor:a", 5); state("monitor:a", 7);
          return [newest().sent, seen, client.status.word];
        }"""
    ) == [[{"type": "subscribe", "topic": "monitor:a"}], [["a", "state", 5], ["a", "state", 7]], "live"]


def test_a_second_listener_gets_what_is_known_and_the_last_one_ends_the_subscription(page):
    assert page.evaluate(
        """() => {
          const leave = client.subscribe("monitor:a", listener("one"));
          client.start(); newest().open(); snapshot("monitor:a", 1);
          const leaveToo = client.subscribe("monitor:a", listener("two"));
          leave(); leaveToo();
          return [newest().sent, seen];
        }"""
    ) == [
        [{"type": "subscribe", "topic": "monitor:a"}, {"type": "unsubscribe", "topic": "monitor:a"}],
        [["one", "state", 1], ["two", "state", 1]],
    ]


def test_a_new_socket_asks_for_the_events_after_the_last_one(page):
    assert page.evaluate(
        """async () => {
          client.subscribe("session:a", listener("a"));
          client.start(); newest().open(); snapshot("session:a", 1, 3); event(4); event(5);
          newest().end(1006);
          while (sockets.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
          newest().open();
          const catching = client.status.word;
          snapshot("session:a", 2, 7); event(6); event(6); event(7);
          return [newest().sent, kinds("event"), catching];
        }"""
    ) == [[{"type": "subscribe", "topic": "session:a", "after": 5}], [4, 5, 6, 7], "catching up"]


def test_a_hole_is_filled_by_rest_before_anything_newer(page):
    assert page.evaluate(
        """async () => {
          answers.set("/api/v1/sessions/a/events/", (url) => {
            const after = Number(url.searchParams.get("after"));
            return { results: [1, 2].map((step) => ({ seq: after + step, at: "2026-01-01T00:00:00Z" })) };
          });
          client.subscribe("session:a", listener("a"));
          client.start(); newest().open(); snapshot("session:a", 1, 3);
          event(6); event(7);
          await settled(); await settled();
          return [seen.map(([, kind, seq]) => [kind, seq]), asked.length, client.status.word];
        }"""
    ) == [[["state", 1], ["event", 4], ["event", 5], ["event", 6], ["event", 7]], 1, "live"]


def test_a_gap_frame_is_healed_in_pages_and_told_afterwards(page):
    assert page.evaluate(
        """async () => {
          answers.set("/api/v1/sessions/a/events/", (url) => {
            const after = Number(url.searchParams.get("after"));
            return { results: [1, 2].map((step) => ({ seq: after + step, at: "2026-01-01T00:00:00Z" })) };
          });
          client.subscribe("session:a", listener("a"));
          client.start(); newest().open(); snapshot("session:a", 1, 1);
          newest().frame({ type: "gap", topic: "session:a", after: 1, upto: 5, missed: 4 });
          event(6);
          for (let turn = 0; turn < 8; turn += 1) await settled();
          return [seen.slice(1).map(([, kind, n]) => [kind, n]), asked.length];
        }"""
    ) == [[["event", 2], ["event", 3], ["event", 4], ["event", 5], ["event", 6], ["gap", 4]], 2]


def test_a_heartbeat_with_newer_numbers_asks_again(page):
    assert page.evaluate(
        """() => {
          client.subscribe("monitor:a", listener("a"));
          client.subscribe("session:a", listener("b"));
          client.start(); newest().open(); snapshot("monitor:a", 5); snapshot("session:a", 2, 9);
          newest().sent.length = 0;
          heartbeat({ "monitor:a": [5, null], "session:a": [2, 9] });
          const quiet = newest().sent.length;
          heartbeat({ "monitor:a": [6, null], "session:a": [2, 11] });
          return [quiet, newest().sent];
        }"""
    ) == [
        0,
        [
            {"type": "subscribe", "topic": "monitor:a"},
            {"type": "subscribe", "topic": "session:a", "after": 9},
        ],
    ]


def test_a_refused_topic_does_not_keep_the_page_catching_up(page):
    assert page.evaluate(
        """() => {
          client.subscribe("monitor:a", listener("a")); client.subscribe("monitor:gone", listener("gone"));
          client.start(); newest().open(); snapshot("monitor:a", 1);
          newest().frame({ type: "error", topic: "monitor:gone", code: "unknown_topic", error: "" });
          return [seen, client.status.word];
        }"""
    ) == [[["a", "state", 1], ["gone", "error", "unknown_topic"]], "live"]


def test_pauses_grow_with_jitter_and_a_restart_is_met_fast(page):
    low, high = page.evaluate(
        "() => [() => 0, () => 1].map((random) =>"
        " [0, 1, 2, 5, 50].map((attempt) => pauseBefore(attempt, 1006, random)))"
    )
    assert low == [250, 500, 1000, 8000, 10_000]
    assert high == [750, 1500, 3000, 24_000, 30_000]
    assert page.evaluate("() => [4012, 1012].map((code) => pauseBefore(0, code, () => 1))") == [1000, 1000]
    assert page.evaluate("() => pauseBefore(0, 4429, () => 0)") == 20_000


def test_without_sockets_the_page_polls_says_so_and_goes_back_to_sockets(page):
    assert page.evaluate(
        """async () => {
          answers.set("/api/v1/monitors/a/state/", () => ({ revision: 8, n: 8 }));
          client.subscribe("monitor:a", listener("a"));
          client.subscribe("monitor:covered", listener("covered"), { poll: false });
          client.start();
          for (let tries = 1; tries <= 2; tries += 1) {
            newest().end(1006);
            while (sockets.length <= tries) await new Promise((resolve) => setTimeout(resolve, 20));
          }
          const polling = [client.status.word, client.status.isPolling, asked];
          newest().open(); snapshot("monitor:a", 9); snapshot("monitor:covered", 1);
          return [polling, seen, client.status.word, client.isPolling];
        }"""
    ) == [
        ["stale", True, ["/api/v1/monitors/a/state/"]],
        [["a", "state", 8], ["a", "state", 9], ["covered", "state", 1]],
        "live",
        False,
    ]


def test_after_a_loss_the_server_is_reached_when_the_page_has_caught_up(page):
    assert page.evaluate(
        """async () => {
          const reached = [client.isReached];
          const note = () => reached.push(client.isReached);
          client.subscribe("monitor:a", listener("a"));
          client.start(); newest().open(); note();
          snapshot("monitor:a", 1); note();
          newest().end(1006); note();
          while (sockets.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
          newest().open(); note();
          snapshot("monitor:a", 1); note();
          return reached;
        }"""
    ) == [True, True, True, False, False, True]


def test_without_sockets_the_server_is_reached_while_it_answers(page):
    assert page.evaluate(
        """async () => {
          const { ApiError } = await import("/static/monitoring/js/api.js");
          let isAway = true;
          answers.set("/api/v1/monitors/a/state/", () => {
            if (isAway) throw new ApiError(0, { code: "unreachable", error: "away" });
            return { revision: 8, n: 8 };
          });
          client.subscribe("monitor:a", listener("a"));
          client.start(); newest().open(); snapshot("monitor:a", 7);
          const soon = () => new Promise((resolve) => setTimeout(resolve, 20));
          const until = async (isTrue) => { while (!isTrue()) await soon(); };
          for (let tries = 1; tries <= 2; tries += 1) {
            newest().end(1006);
            await until(() => sockets.length > tries);
          }
          await until(() => asked.length);
          const reached = [client.isPolling, client.isReached];
          isAway = false;
          await until(() => seen.length > 1);
          await settled();
          return [...reached, client.isReached];
        }"""
    ) == [True, False, True]


def test_a_page_out_of_sight_closes_its_socket_and_catches_up_on_return(page):
    assert page.evaluate(
        """() => {
          client.subscribe("session:a", listener("a"));
          client.start(); newest().open(); snapshot("session:a", 1, 3);
          const hide = (hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
          };
          hide(true);
          const closed = sockets[0].readyState;
          hide(false); newest().open();
          return [closed, sockets.length, newest().sent];
        }"""
    ) == [3, 2, [{"type": "subscribe", "topic": "session:a", "after": 3}]]


def test_two_quick_returns_open_one_socket(page):
    assert page.evaluate(
        """() => {
          client.subscribe("session:a", listener("a"));
          client.start(); newest().open(); snapshot("session:a", 1, 3);
          const hide = (hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
          };
          hide(true);
          hide(false); hide(false); dispatchEvent(new Event("online"));
          newest().open();
          hide(false);
          return [sockets.length, newest().sent.length];
        }"""
    ) == [2, 1]


def test_a_dead_credential_leads_to_the_login(page):
    page.evaluate("() => { client.start(); newest().open(); newest().end(4401); }")
    page.wait_for_url("**/login/?next=%2Fno-such-page%2F")


def test_a_silent_socket_is_replaced(page):
    page.clock.install()
    page.evaluate(SCRIPT)
    page.evaluate("() => { client.subscribe('monitor:a', listener('a')); client.start(); newest().open(); }")
    page.evaluate("() => snapshot('monitor:a', 1)")
    page.clock.run_for(21_000)
    assert page.evaluate("client.status.word") == "stale"
    page.clock.run_for(16_000)
    assert page.evaluate("sockets.length") == 2
    assert page.evaluate("sockets[0].readyState") == 3
