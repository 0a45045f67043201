"""Rigs: added, changed, shown in the admin, followed on the live socket's topic."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from monitoring.nina.models import Rig
from monitoring.nina.topic import RigTopic
from monitoring.nina.verbs import BadRig, RigExists, add_rig, change_rig
from sessionsite.accounts.models import AuditEntry
from sessionsite.accounts.services import caller_of_user
from tests.nina.player import BOOT, Player


def test_the_command_adds_a_rig_on_a_monitor_of_its_own(organisation, capsys):
    call_command("add_rig", "rig-7", "--url", "http://127.0.0.1:1888/", "--site-zone", "Europe/Madrid")
    rig = Rig.objects.get()
    assert (rig.slug, rig.monitor.kind, rig.url) == ("rig-7", "rig", "http://127.0.0.1:1888")
    assert rig.zone.key == "Europe/Madrid" and not rig.is_public
    assert "/rigs/rig-7/" in capsys.readouterr().out
    with pytest.raises(CommandError, match="is a rig already"):
        call_command("add_rig", "rig-7")


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"site_zone": "Mars/Olympus"}, "site_zone"), ({"url": "nina"}, "url"), ({"url": "ftp://a.b"}, "url")],
)
def test_a_rig_with_a_wrong_zone_or_address_is_refused(organisation, fields, field):
    with pytest.raises(BadRig) as refused:
        add_rig(organisation, slug="rig-7", by="test", **fields)
    assert refused.value.details["field"] == field
    assert not Rig.objects.exists()


def test_a_camera_is_no_rig_and_a_rig_is_one_once(organisation, monitor, rig):
    with pytest.raises(BadRig):
        add_rig(organisation, slug=monitor.slug, by="test")
    with pytest.raises(RigExists):
        add_rig(organisation, slug=rig.slug, by="test")


def test_a_change_is_in_the_audit_trail(rig):
    change_rig(rig, by="ann", is_public=True)
    entry = AuditEntry.objects.filter(verb="changed_rig").get()
    assert (entry.before["is_public"], entry.after["is_public"], entry.actor) == (False, True, "ann")


def test_the_topic_shows_state_and_journal_to_those_who_may_read(rig, script, viewer, stranger):
    topic = RigTopic()
    assert topic.authorise(caller_of_user(viewer), "rig-1")
    assert not topic.authorise(caller_of_user(stranger), "rig-1")
    player = Player(rig, script)
    player.rebuild()
    snapshot = topic.snapshot("rig-1")
    assert snapshot.data["unified"]["target_name"] == "NGC 2244"
    assert topic.revisions(["rig-1", "none"]) == {"rig-1": (snapshot.revision, snapshot.seq)}
    player.play(2)
    events = topic.events("rig-1", snapshot.seq, 10)
    assert [(seq, event["type"], event["is_live"]) for seq, event in events] == [
        (snapshot.seq + 1, "FILTERWHEEL-CHANGED", True),
        (snapshot.seq + 2, "IMAGE-PREPARED", True),
    ]


def test_every_accepted_event_wakes_the_readers(rig, script, published, django_capture_on_commit_callbacks):
    player = Player(rig, script)
    with django_capture_on_commit_callbacks(execute=True):
        player.rebuild()
        published.clear()
    with django_capture_on_commit_callbacks(execute=True):
        player.play(1)
    assert published.count("rig:rig-1") >= 1


def test_the_admin_lists_the_rig_and_changes_it_by_its_verb(rig, client, administrator):
    administrator.is_staff = True
    administrator.save()
    client.force_login(administrator)
    assert "rig-1" in client.get("/admin/monitoring/rig/").content.decode()
    values = {"url": "http://10.0.0.7:1888", "site_zone": "America/Phoenix", "is_enabled": "on"}
    answer = client.post(f"/admin/monitoring/rig/{rig.pk}/change/", values)
    assert answer.status_code == 302, answer.content.decode()[:2000]
    rig.refresh_from_db()
    assert (rig.url, rig.site_zone) == ("http://10.0.0.7:1888", "America/Phoenix")
    assert AuditEntry.objects.filter(verb="changed_rig").exists()


def test_the_boot_time_of_nina_is_kept(rig, script):
    Player(rig, script).rebuild()
    rig.refresh_from_db()
    assert rig.application_start == BOOT
