"""Tries to log in are few: for one account from one address, for one account, and from one address.

A try is counted before the password is looked at, so that many at once are no way around it, and is given
back when it succeeds. A refusal says nothing about the account: unknown names are counted like known ones.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import unicodedata
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from sessionsite.accounts.models import LoginTries
from sessionsite.common.errors import RateLimited


@dataclass(frozen=True)
class Limit:
    tries: int
    within: timedelta


# The first keeps a guesser away without keeping the person away, who comes from elsewhere.
BOTH = Limit(5, timedelta(minutes=5))
ACCOUNT = Limit(60, timedelta(hours=1))
ADDRESS = Limit(30, timedelta(minutes=15))


class TooManyTries(RateLimited):
    code = "too_many_tries"

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, int(wait.total_seconds()))
        minutes = -(-seconds // 60)
        unit = "minute" if minutes == 1 else "minutes"
        super().__init__(f"Too many tries. Wait {minutes} {unit}, then try again.", retry_after_s=seconds)


def count_try(username: str, address: str) -> None:
    """One more try is counted. Raises TooManyTries, and then counts nothing."""
    moment = timezone.now()
    with transaction.atomic():
        for name, limit in _counters(username, address):
            _count(name, limit, moment)


def forgive_try(username: str, address: str) -> None:
    """The try was good: it does not count, nor do the earlier ones for this account from this address."""
    (both, _), *others = _counters(username, address)
    with transaction.atomic():
        LoginTries.objects.filter(name=both).delete()
        for name, _ in others:
            LoginTries.objects.filter(name=name, tries__gt=0).update(tries=F("tries") - 1)


def forget_old_tries() -> None:
    LoginTries.objects.filter(began_at__lt=timezone.now() - ACCOUNT.within).delete()


def _count(name: str, limit: Limit, moment) -> None:
    row, _ = LoginTries.objects.get_or_create(name=name, defaults={"began_at": moment})
    mine = LoginTries.objects.filter(name=name)
    mine.filter(began_at__lte=moment - limit.within).update(began_at=moment, tries=0)
    if not mine.filter(tries__lt=limit.tries).update(tries=F("tries") + 1):
        raise TooManyTries(row.began_at + limit.within - moment)


def _counters(username: str, address: str) -> list[tuple[str, Limit]]:
    """Always in this order: two who lock the same rows meet in it."""
    name = unicodedata.normalize("NFKC", username).casefold()
    place = _network(address)
    return [
        (f"both:{_hash(f'{place} {name}')}", BOTH),
        (f"account:{_hash(name)}", ACCOUNT),
        (f"address:{_hash(place)}", ADDRESS),
    ]


def _network(address: str) -> str:
    """One IPv4 address; of IPv6 the network that one customer gets."""
    try:
        found = ipaddress.ip_address(address)
        found = getattr(found, "ipv4_mapped", None) or found  # how IPv4 comes to a listener on `::`
    except ValueError:
        return "unknown"
    return str(found if found.version == 4 else ipaddress.ip_network((found, 64), strict=False))


def _hash(text: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
