"""Fixtures of the whole suite."""


def pytest_configure(config) -> None:
    """Cheap passwords, and no background loops in the test's own process: tests call their steps."""
    from django.conf import settings

    settings.BACKGROUND_LOOPS = False
    # A real hash takes a quarter of a second on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
