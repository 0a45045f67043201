"""One-time passes for sockets and streams."""

from threading import Barrier, Thread

import pytest
from django.db import connections

from sessionsite.accounts.models import Ticket
from sessionsite.accounts.services import (
    caller_of_token,
    caller_of_user,
    create_token,
    issue_ticket,
    redeem_ticket,
    revoke_token,
    set_role,
)
from sessionsite.common.clock import now


def test_a_ticket_stands_for_its_caller_once(operator, organisation):
    secret, _ = issue_ticket(caller_of_user(operator))
    assert redeem_ticket(secret) == caller_of_user(operator)
    assert redeem_ticket(secret) is None
    assert redeem_ticket("nothing") is None


def test_a_ticket_of_a_token_holds_the_rights_of_the_token(token):
    caller = caller_of_token(token)
    secret, _ = issue_ticket(caller)
    assert redeem_ticket(secret) == caller


def test_a_ticket_ends_after_thirty_seconds_and_is_swept_away(operator, organisation, time_machine):
    time_machine.move_to(now(), tick=False)
    caller = caller_of_user(operator)
    secret, expires_at = issue_ticket(caller)
    assert (expires_at - now()).total_seconds() == 30
    time_machine.shift(30)
    assert redeem_ticket(secret) is None
    time_machine.shift(31)
    issue_ticket(caller)
    assert Ticket.objects.count() == 1


def test_a_ticket_gives_the_rights_of_the_moment_it_is_used(operator, organisation):
    secret, _ = issue_ticket(caller_of_user(operator))
    set_role(operator, organisation, "viewer", by="test")
    assert not redeem_ticket(secret).may("control", organisation.pk)


def test_a_ticket_of_a_revoked_token_opens_nothing(organisation):
    token, secret = create_token(organisation, name="t", role="operator", by="test")
    ticket, _ = issue_ticket(caller_of_token(secret))
    revoke_token(token, by="ann")
    assert redeem_ticket(ticket) is None


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_use_a_ticket_at_once_one_gets_in(operator, organisation):
    secret, _ = issue_ticket(caller_of_user(operator))
    gate, callers = Barrier(8), []

    def use() -> None:
        try:
            gate.wait(30)
            callers.append(redeem_ticket(secret))
        finally:
            connections.close_all()

    threads = [Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(callers) == 8
    assert [caller.user_id for caller in callers if caller] == [operator.pk]
