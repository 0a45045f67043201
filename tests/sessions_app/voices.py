"""Voices made of sines: harmonics of a pitch at a loudness, as 16 kHz PCM."""

from __future__ import annotations

import numpy

from sessions_app.classifiers import SAMPLE_RATE


def voice(seconds: float, *, hz: float = 120.0, level_db: float = -24.0) -> bytes:
    """A vowel-like sound at `level_db` below full scale (RMS)."""
    t = numpy.arange(int(SAMPLE_RATE * seconds)) / SAMPLE_RATE
    sound = sum(numpy.sin(2 * numpy.pi * hz * n * t) / n for n in range(1, 6))
    return _pcm(sound / numpy.sqrt(numpy.mean(sound**2)), level_db)


def noise(seconds: float, *, level_db: float = -40.0) -> bytes:
    sound = numpy.random.default_rng(3).standard_normal(int(SAMPLE_RATE * seconds))
    return _pcm(sound, level_db)


def silence(seconds: float) -> bytes:
    return bytes(int(SAMPLE_RATE * seconds) * 2)


def _pcm(sound, level_db: float) -> bytes:
    return (numpy.clip(sound * 10 ** (level_db / 20), -1, 1) * 32767).astype("<i2").tobytes()
