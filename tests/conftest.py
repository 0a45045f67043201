"""Fixtures of the whole suite."""


def pytest_configure(config) -> None:
    """A password hash takes a quarter of a second on purpose; tests of pages do not need that."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
