"""The reaper: watched sessions end when nobody looks, and nothing else does."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from sessions_app import presence, reaper
from sessions_app.models import Lease, Session, SessionEvent
from sessions_app.policies import POLICIES
from sessions_app.reaper import Reaper, reap_once
from sessions_app.services import end_session, open_session, start_annotation, start_recording
from sessions_app.states import Kind, State
from tests.site.processes import Process, manage, running


def state_of(session) -> str:
    return Session.objects.values_list("state", flat=True).get(pk=session.pk)


def test_it_is_reaped_after_its_time_and_never_before(watched, clock):
    presence.hold(watched.key, "one", 1, now=clock.at(10))
    presence.hold(watched.key, "one", 0, now=clock.at(20))
    assert reap_once(clock.at(110)) == []  # 90 s exactly: not yet
    assert [idle.key for idle in reap_once(clock.at(110.1))] == [watched.key]
    assert state_of(watched) == State.EXPIRED


def test_a_reader_anywhere_keeps_it(watched, clock):
    presence.hold(watched.key, "one", 1, now=clock.at(0))
    presence.hold(watched.key, "two", 1, now=clock.at(0))
    presence.hold(watched.key, "one", 0, now=clock.at(1))
    for second in range(20, 2000, 20):
        presence.renew("two", {watched.key}, now=clock.at(second))
        assert reap_once(clock.at(second + 1)) == []
    presence.hold(watched.key, "two", 0, now=clock.at(2000))
    assert reap_once(clock.at(2090)) == []
    assert reap_once(clock.at(2091))


def test_the_clock_starts_at_creation(watched, clock):
    assert reap_once(clock.at(90)) == []
    assert reap_once(clock.at(90.5))


@pytest.mark.parametrize("ttl_s, gone_at", [(90, 100), (3, 40)])
def test_a_dead_process_left_at_its_last_renewal(organisation, clock, watched, ttl_s, gone_at):
    """After a kill: the longer of lease and time to live, counted from the renewal at 10 s."""
    Session.objects.filter(pk=watched.pk).update(idle_ttl_s=ttl_s)
    presence.hold(watched.key, "dead", 1, now=clock.at(0))
    presence.renew("dead", {watched.key}, now=clock.at(10))
    assert reap_once(clock.at(gone_at - 0.1)) == []
    assert reap_once(clock.at(gone_at + 0.1))


def test_its_end_is_told_with_reason_and_journal_entry_and_the_row_stays(watched, clock):
    reap_once(clock.at(100))
    watched.refresh_from_db()
    assert (watched.state, watched.end_reason, watched.stopped_at) == ("expired", "idle", clock.at(100))
    last = SessionEvent.objects.get(session=watched, seq=watched.last_seq)
    assert last.kind == "expired"
    assert last.detail == {
        "from": "active", "to": "expired", "by": "", "reason": "idle",
        "idle_s": 100.0, "idle_ttl_s": 90, "total_counter": 0,
    }  # fmt: skip


def test_a_recording_is_stopped_first(watched, clock):
    start_recording(watched, by="ann")
    reap_once(clock.at(100))
    kinds = SessionEvent.objects.filter(session=watched).order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == ["started", "recording_started", "recording_stopped", "expired"]


def test_null_means_never(organisation, clock):
    forever = start_annotation(organisation, by="ann", idle_ttl_s=None)
    Session.objects.filter(pk=forever.pk).update(started_at=clock.start)
    assert reap_once(clock.at(10**7)) == []


@pytest.mark.parametrize("kind", [kind for kind in Kind if not POLICIES[kind].reaped])
def test_other_kinds_are_never_reaped_even_with_a_time_to_live(organisation, clock, kind):
    session = open_session(organisation, kind=kind, idle_ttl_s=1, started_at=clock.start)
    assert reap_once(clock.at(10**7)) == []
    assert state_of(session) == State.ACTIVE


def test_what_is_over_stays_as_it_ended(watched, clock):
    end_session(watched, by="ann")
    assert reap_once(clock.at(10**6)) == []
    assert state_of(watched) == State.COMPLETED


def test_after_a_server_start_there_is_a_grace_of_one_time_to_live(watched, clock):
    started = clock.at(1000)
    assert reap_once(clock.at(1001), serving_since=started) == []
    assert reap_once(clock.at(1090), serving_since=started) == []
    assert reap_once(clock.at(1091), serving_since=started)


def test_a_reader_that_comes_between_the_look_and_the_end_keeps_the_session(watched, clock, monkeypatch):
    """The look at the candidates is stale; what counts is the look under the row's lock."""
    expire = reaper._expire

    def reader_comes_first(key, now, since):
        presence.hold(key, "quick", 1, now=now)
        return expire(key, now, since)

    monkeypatch.setattr(reaper, "_expire", reader_comes_first)
    assert reap_once(clock.at(100)) == []
    assert state_of(watched) == State.ACTIVE


def test_reading_the_state_does_not_renew_it(watched, clock, client, operator):
    client.force_login(operator)
    assert client.get(f"/api/v1/sessions/{watched.key}/").json()["state"] == "active"
    assert reap_once(clock.at(91))
    assert client.get(f"/api/v1/sessions/{watched.key}/").json()["end_reason"] == "idle"


def test_readers_are_woken_by_the_end(watched, clock, published, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        reap_once(clock.at(100))
    assert f"session:{watched.key}" in published


# --- the loop -----------------------------------------------------------------------------------------------


class Watch:
    """A monotonic clock that the test winds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("ttl_s, interval_s", [(1, 1.0), (2, 1.0), (3, 1.5), (60, 30.0), (3600, 45.0)])
def test_passes_come_at_half_the_shortest_time(organisation, ttl_s, interval_s):
    start_annotation(organisation, by="ann", idle_ttl_s=ttl_s)
    assert reaper.interval_s() == interval_s


def test_without_sessions_the_setting_decides(db, settings):
    settings.SESSION_IDLE_TTL_S = 10
    assert reaper.interval_s() == 5.0


def test_a_step_passes_when_it_is_due(db, monkeypatch):
    passes = []
    monkeypatch.setattr(reaper, "reap_once", lambda **options: passes.append(options) or [])
    watch = Watch()
    loop = Reaper(clock=watch)
    for second in range(100):
        watch.now = second
        loop.step()
    assert len(passes) == 3  # at 0, 44 and 88: never later than 45 s after the one before
    assert len({options["serving_since"] for options in passes}) == 1


def test_one_process_passes_at_a_time(db, monkeypatch):
    """While another process is at it, a step does nothing, and tries again with the next one."""
    from datetime import timedelta

    from django.utils import timezone

    passes = []
    monkeypatch.setattr(reaper, "reap_once", lambda **options: passes.append(options) or [])
    soon = timezone.now() + timedelta(seconds=30)
    Lease.objects.create(name=reaper.PASS_LEASE, holder="another process", expires_at=soon)
    loop = Reaper(clock=Watch())
    loop.step()
    assert passes == []
    Lease.objects.update(expires_at=timezone.now())
    loop.step()
    assert len(passes) == 1
    assert not Lease.objects.filter(expires_at__gt=timezone.now()).exists()


# --- the command --------------------------------------------------------------------------------------------


def reaped_by_command(*options: str) -> str:
    out = io.StringIO()
    call_command("reap_sessions", *options, stdout=out)
    return out.getvalue()


def test_the_command_tells_and_reaps(watched):
    assert f"{watched.key} would expire: idle for" in reaped_by_command("--dry-run")
    assert state_of(watched) == State.ACTIVE
    assert f"{watched.key} expired: idle for" in reaped_by_command()
    assert state_of(watched) == State.EXPIRED
    assert reaped_by_command() == ""


def test_a_dry_run_leaves_dead_leases(watched, clock):
    presence.hold(watched.key, "dead", 1, now=clock.at(0))
    reaped_by_command("--dry-run")
    assert watched.subscriber_leases.count() == 1


@pytest.mark.server
def test_the_loop_goes_on_until_it_is_stopped(tmp_path):
    manage("migrate", "--verbosity", "0", data_dir=tmp_path)
    start = (
        "from sessionsite.accounts.services import create_organisation;"
        "from sessions_app.services import start_annotation;"
        "made = create_organisation('hall', by='test');"
        "print(start_annotation(made, by='ann', idle_ttl_s=1).key)"
    )
    first = manage("shell", "-c", start, data_dir=tmp_path).split()[-1]
    with running(Process, "reap_sessions", "--loop", data_dir=tmp_path) as loop:
        loop.wait_for_line(f"^{first} expired: idle for")
        again = start.replace(
            "create_organisation('hall', by='test')", "Organisation.objects.get(slug='hall')"
        )
        again = f"from sessionsite.accounts.models import Organisation;{again}"
        second = manage("shell", "-c", again, data_dir=tmp_path).split()[-1]
        loop.wait_for_line(f"^{second} expired: idle for")
        assert loop.stop()[0] == 0


def test_a_dry_run_does_not_go_on():
    with pytest.raises(CommandError, match="--dry-run looks once"):
        reaped_by_command("--dry-run", "--loop")
