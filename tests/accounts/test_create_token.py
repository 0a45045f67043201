"""manage.py create_token: the secret alone on stdout."""

import pytest
from django.core.management import CommandError, call_command

from sessionsite.accounts.services import caller_of_token, create_token


def test_it_prints_the_secret_and_nothing_else(organisation, capsys):
    call_command("create_token", "line 1", role="operator")
    printed = capsys.readouterr().out
    caller = caller_of_token(printed.removesuffix("\n"))
    assert caller.name == "line 1" and caller.may("ingest", organisation.pk)


def test_another_organisation_is_named(organisation, other_organisation, capsys):
    call_command("create_token", "x", role="viewer", organisation="elsewhere")
    caller = caller_of_token(capsys.readouterr().out.strip())
    assert caller.may("read", other_organisation.pk) and not caller.may("read", organisation.pk)


def test_an_unknown_organisation_or_role_ends_with_a_text(organisation):
    with pytest.raises(CommandError):
        call_command("create_token", "x", role="viewer", organisation="nowhere")
    with pytest.raises(CommandError):
        call_command("create_token", "x", role="king")


def test_the_name_of_somebody_else_who_logs_in_is_refused_and_one_s_own_is_taken(organisation, viewer):
    with pytest.raises(CommandError, match="Somebody logs in under this name"):
        call_command("create_token", "Viewer", role="viewer")
    own, _ = create_token(organisation, name="viewer", role="viewer", owner=viewer, by="viewer")
    assert own.owner == viewer
