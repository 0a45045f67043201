"""Devices: registered, changed, given tokens, seen, removed."""

from datetime import timedelta

import pytest

from devices.models import Credential, Device
from devices.services import (
    BadCapabilities,
    change_device,
    device_of,
    give_token,
    note_seen,
    register_device,
    remove_device,
)
from sessionsite.accounts.models import ApiToken, AuditEntry
from sessionsite.accounts.services import caller_of_token
from sessionsite.common.clock import now
from sessionsite.common.errors import DomainError, NotAllowed


@pytest.fixture
def device(organisation) -> Device:
    return register_device(
        organisation, name="Top", type="camera", slot="top", capabilities=["rgb_video"], by="ann"
    )


def test_a_device_is_registered_with_an_entry_in_the_audit_trail(device, organisation):
    assert device.key.startswith("dv_") and device.organisation == organisation
    entry = AuditEntry.objects.get(object_key=device.key)
    assert (entry.verb, entry.actor, entry.after["slot"]) == ("registered", "ann", "top")


@pytest.mark.parametrize("capabilities", ["video", {"video": 1}, [1], [""], [None]])
def test_capabilities_are_a_list_of_words(organisation, capabilities):
    with pytest.raises(BadCapabilities):
        register_device(organisation, name="x", type="camera", capabilities=capabilities, by="ann")


def test_a_change_raises_the_revision_and_is_audited_with_both_sides(device):
    changed = change_device(device, slot="side", by="ann")
    assert (changed.slot, changed.revision) == ("side", 1)
    entry = AuditEntry.objects.get(verb="changed")
    assert (entry.before, entry.after) == ({"slot": "top"}, {"slot": "side"})
    with pytest.raises(DomainError):
        change_device(device, organisation=None, by="ann")


def test_its_token_speaks_for_it(device):
    token, secret = give_token(device, by="ann")
    caller = caller_of_token(secret)
    assert device_of(caller) == device and caller.name == "Top"
    assert caller.rights[device.organisation_id] == {"ingest", "control", "annotate", "read"}
    assert Credential.objects.get().token == token


def test_a_token_of_no_device_speaks_for_none(token, operator):
    from sessionsite.accounts.services import caller_of_user

    assert device_of(caller_of_token(token)) is None
    assert device_of(caller_of_user(operator)) is None


def test_a_device_gets_no_right_that_its_giver_lacks(device):
    with pytest.raises(NotAllowed):
        give_token(device, by="ann", within=frozenset({"read", "admin"}))
    assert not Credential.objects.exists() and not ApiToken.objects.exists()


def test_last_seen_is_at_most_ten_seconds_behind(device, django_assert_num_queries):
    moment = now()
    note_seen(device, at=moment)
    note_seen(device, at=moment + timedelta(seconds=9))
    device.refresh_from_db()
    assert device.last_seen_at == moment
    note_seen(device, at=moment + timedelta(seconds=11))
    device.refresh_from_db()
    assert device.last_seen_at == moment + timedelta(seconds=11)


def test_a_removed_device_takes_its_tokens_along_and_leaves_what_it_recorded(device, session):
    from sessions_app.services import attach_device, mark

    attach_device(session, device, by="ann")
    mark(session, label="here", device=device, by="Top")
    _, secret = give_token(device, by="ann")
    remove_device(device, by="ann")
    assert caller_of_token(secret) is None
    assert [event.kind for event in session.events.order_by("seq")] == [
        "started",
        "device_attached",
        "marker",
        "device_detached",
    ]
    assert AuditEntry.objects.filter(verb="removed", object_type="device").exists()
