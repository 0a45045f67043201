"""Where verbs announce a change, and where each app registers the topics that readers may follow.

A push is a hint: what readers see comes from the topic's own snapshot and events, so a lost wake-up is
repaired by the next one or by the hub's check of revisions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.db import transaction

from sessionsite.common.access import Caller
from sessionsite.common.errors import DomainError, Missing


class UnknownTopic(Missing):
    code = "unknown_topic"


class NoEvents(DomainError):
    code = "no_events"


@dataclass(frozen=True)
class Snapshot:
    """What a topic shows now. `revision` and `seq` were read before `data`, so data is at least that new."""

    revision: int
    seq: int | None
    data: dict
    is_finished: bool = False


class Topic:
    """Four answers about one family of topics, `<prefix>:<name>`. All of them may read the database."""

    prefix = ""
    has_events = False

    def authorise(self, caller: Caller, name: str) -> bool:
        raise NotImplementedError

    def snapshot(self, name: str) -> Snapshot | None:
        """None when there is no such thing (any more)."""
        raise NotImplementedError

    def revisions(self, names: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        """(revision, seq) of each name that exists, in one query."""
        raise NotImplementedError

    def events(self, name: str, after: int, limit: int) -> list[tuple[int, dict]]:
        """Up to `limit` (seq, event) with seq > after, in order."""
        raise NoEvents(f"{self.prefix}:{name} has states, not events.")

    def gap_address(self, name: str, after: int) -> str | None:
        """Where REST gives the events that a reader missed."""
        return None


# What a socket may ask for besides topics: (caller, message) -> the answer's fields. May use the database.
Command = Callable[[Caller, dict], dict]


@dataclass
class _Registry:
    topics: dict[str, Topic] = field(default_factory=dict)
    listeners: list[Callable[[str, int | None, int | None, bool], None]] = field(default_factory=list)
    commands: dict[str, Command] = field(default_factory=dict)


_registry = _Registry()
_NAME = re.compile(r"[A-Za-z0-9._-]+")  # slugs and keys; anything else names nothing


def register_topic(topic: Topic) -> None:
    _registry.topics[topic.prefix] = topic


def register_command(kind: str, command: Command) -> None:
    """A socket's message of this `type` is answered by `command`, with a frame of the same type."""
    _registry.commands[kind] = command


def find_command(kind: str) -> Command | None:
    return _registry.commands.get(kind)


def find_topic(full_name: str) -> tuple[Topic, str]:
    """The topic's family and its name in it. Raises UnknownTopic."""
    prefix, _, name = full_name.partition(":")
    topic = _registry.topics.get(prefix)
    if topic is None or len(full_name) > 120 or not _NAME.fullmatch(name):
        raise UnknownTopic(f"There is no topic {full_name[:120]!r}.", topic=full_name[:120])
    return topic, name


def add_listener(listener: Callable[[str, int | None, int | None, bool], None]) -> None:
    """`listener(topic, revision, seq, urgent)` is called in the committing thread after each commit."""
    if listener not in _registry.listeners:
        _registry.listeners.append(listener)


def remove_listener(listener) -> None:
    if listener in _registry.listeners:
        _registry.listeners.remove(listener)


def publish_on_commit(
    topic: str, *, revision: int | None = None, seq: int | None = None, urgent: bool = False
) -> None:
    """Wake the readers of `topic` once the transaction has committed; a rollback wakes nobody.

    urgent: a transition, which is never held back to keep the frame rate down.
    """
    # robust: with the layer away the change stands and the failure is logged.
    transaction.on_commit(lambda: _wake(topic, revision, seq, urgent), robust=True)


def _wake(topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
    for listener in list(_registry.listeners):
        listener(topic, revision, seq, urgent)
