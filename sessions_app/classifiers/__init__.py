"""Classifiers: plugins that make frames from the sound of an annotation session.

A plugin is a Classifier in an installed package, named in the entry point group `sessionsite.classifiers`;
AUDIO_CLASSIFIER says which one is used. Built in: `tone`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from sessions_app.services.frames import Frame
from sessionsite.common.errors import Busy, DomainError

GROUP = "sessionsite.classifiers"
SAMPLE_RATE = 16_000  # samples a second, one channel, signed 16 bit, little endian
CHUNK_BYTES = 3_200  # 100 ms


class UnknownClassifier(DomainError):
    code, status = "unknown_classifier", 503


class ExtraMissing(Busy):
    """The classifier needs a package that is not installed; the text says which extra brings it."""

    code = "extra_missing"


class Run(Protocol):
    """One stream of sound, from its start to its end. Called by one thread at a time."""

    def feed(self, pcm: bytes) -> list[Frame]:
        """What one or more whole chunks add: any number of frames, in order."""

    def close(self) -> None:
        """The sound is over; nothing is fed any more."""


class Classifier(Protocol):
    name: str

    def start(self) -> Run:
        """Ready for the first chunk. Raises ExtraMissing."""


_registered: dict[str, Classifier] = {}


def register_classifier(classifier: Classifier) -> None:
    """`classifier` can be chosen by its name; it replaces one of the same name."""
    _registered[classifier.name] = classifier


@cache
def _from_packages() -> dict[str, Classifier]:
    return {entry.name: entry.load()() for entry in entry_points(group=GROUP)}


def find_classifier(name: str) -> Classifier:
    """Raises UnknownClassifier, which names those that are there."""
    known = {**_from_packages(), **_registered}
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise UnknownClassifier(f"There is no classifier {name!r}; AUDIO_CLASSIFIER may be: {there}.")
    return known[name]
