"""Classifiers: what the tone classifier hears, and how others are found."""

from __future__ import annotations

import sys
from itertools import chain

import pytest

from sessions_app import classifiers
from sessions_app.classifiers import CHUNK_BYTES, ExtraMissing, UnknownClassifier, find_classifier
from sessions_app.classifiers.tone import ToneClassifier
from tests.services import need_numpy


def said(*sounds: bytes) -> list:
    """The frames of one stream, fed in chunks of 100 ms."""
    run = ToneClassifier().start()
    pcm = b"".join(sounds)
    chunks = (pcm[start : start + CHUNK_BYTES] for start in range(0, len(pcm), CHUNK_BYTES))
    return list(chain.from_iterable(run.feed(chunk) for chunk in chunks))


def voice(*args, **kwargs) -> bytes:
    need_numpy()
    from tests.sessions_app.voices import voice

    return voice(*args, **kwargs)


def labels(frames) -> list[str]:
    found: list[str] = []
    for frame in frames:
        if not found or found[-1] != frame.label:
            found.append(frame.label)
    return found


def test_a_steady_voice_is_calm():
    frames = said(voice(6))
    assert labels(frames) == ["calm"]
    assert frames[-1].shift_direction == "steady"
    assert frames[0].confidence < 0.6 < frames[-1].confidence  # the first seconds make the baseline


@pytest.mark.parametrize(
    "change, label",
    [
        ({"level_db": -15.0}, "raised"),
        ({"hz": 150.0}, "raised"),
        ({"hz": 165.0, "level_db": -12.0}, "urgent"),
    ],
)
def test_a_louder_or_higher_voice_is_more(change, label):
    frames = said(voice(5), voice(1.5, **change))
    shifted = [frame for frame in frames if frame.label == label]
    assert shifted, [frame.label for frame in frames]
    assert shifted[0].shift_direction == "up"
    assert shifted[0].shift_magnitude > 0.3


def test_it_gets_used_to_a_new_voice():
    assert labels(said(voice(5), voice(20, level_db=-16.0)))[-1] == "calm"


@pytest.mark.parametrize("kind", ["silence", "noise"])
def test_without_a_voice_it_is_quiet(kind):
    need_numpy()
    from tests.sessions_app import voices

    frames = said(getattr(voices, kind)(3))
    assert labels(frames) == ["quiet"]
    assert frames[0].confidence > 0.9


def test_the_same_label_is_not_said_with_every_chunk():
    assert len(said(voice(10))) <= 6


@pytest.mark.parametrize("hz", [80, 120, 150, 160, 220, 300, 390])
def test_the_pitch_is_the_one_that_was_sung(hz):
    numpy, run = need_numpy(), ToneClassifier().start()
    chunk = numpy.frombuffer(voice(0.1, hz=hz), dtype="<i2").astype(numpy.float32) / 32768
    assert run._pitch_hz(chunk) == pytest.approx(hz, rel=0.03)


@pytest.mark.parametrize(
    "pcm", [bytes(CHUNK_BYTES), b"\xff\x7f" * 1600, b"\x00\x80" * 1600, b"\xff\x7f\x00\x80" * 800]
)
def test_any_chunk_is_heard_without_a_fault(pcm):
    need_numpy()
    run = ToneClassifier().start()
    for _ in range(30):
        for frame in run.feed(pcm):
            assert 0 <= frame.confidence <= 1 and 0 <= frame.shift_magnitude <= 1


def test_several_chunks_at_once_are_the_same_as_one_by_one():
    pcm = voice(3) + voice(1, hz=200)
    together = ToneClassifier().start().feed(pcm)
    assert together == said(pcm)


def test_without_numpy_it_says_which_extra_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ExtraMissing, match="extra `audio`") as refused:
        ToneClassifier().start()
    assert (refused.value.status, refused.value.details["extra"]) == (503, "audio")


def test_a_plugin_is_found_by_its_entry_point(monkeypatch):
    class Parrot:
        name = "parrot"

    class Entry:
        name = "parrot"

        def load(self):
            return Parrot

    asked = []
    monkeypatch.setattr(classifiers, "entry_points", lambda group: asked.append(group) or [Entry()])
    classifiers._from_packages.cache_clear()
    try:
        assert isinstance(find_classifier("parrot"), Parrot)
        assert asked == ["sessionsite.classifiers"]
    finally:
        monkeypatch.undo()
        classifiers._from_packages.cache_clear()


def test_an_unknown_name_is_refused_with_those_that_exist():
    with pytest.raises(UnknownClassifier, match="may be: .*tone"):
        find_classifier("oracle")
