"""Checks of settings that must fit together."""

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError

MIB = 1024 * 1024


@pytest.fixture
def one_machine(settings):
    settings.DATABASE_URL, settings.REDIS_URL, settings.BACKGROUND_LOOPS = "", "", True
    settings.MEDIA_ACCEL_PREFIX, settings.TRUST_PROXY = "", False
    return settings


def found() -> set[str]:
    messages = run_checks(tags=["sessionsite"], include_deployment_checks=True)
    return {message.id for message in messages}


def test_the_defaults_fit_together(one_machine):
    assert found() == set()


def test_a_body_that_cannot_hold_a_picture_is_an_error(one_machine):
    one_machine.MAX_BODY_BYTES = one_machine.MAX_IMAGE_BYTES
    assert found() == {"sessionsite.E001"}


def test_serve_does_not_start_with_limits_that_do_not_fit(one_machine):
    one_machine.MAX_BODY_BYTES = MIB
    with pytest.raises(SystemCheckError, match="MAX_BODY_BYTES"):
        call_command("serve", skip_checks=False)


def test_a_pool_smaller_than_its_threads_is_an_error(one_machine):
    one_machine.DATABASE_URL, one_machine.REDIS_URL = "postgres://h/n", "redis://h"
    one_machine.DATABASE_POOL_SIZE = one_machine.HANDLER_THREADS
    assert found() == {"sessionsite.E002"}


@pytest.mark.parametrize("change", [{"DATABASE_URL": "postgres://h/n"}, {"BACKGROUND_LOOPS": False}])
def test_several_processes_without_redis_are_warned(one_machine, change):
    for name, value in change.items():
        setattr(one_machine, name, value)
    assert found() == {"sessionsite.W001"}


def test_nginx_that_is_not_believed_is_warned(one_machine):
    one_machine.MEDIA_ACCEL_PREFIX = "/protected-media/"
    assert found() == {"sessionsite.W002"}
