"""The tone of a voice from its sound alone: calm, raised, urgent or quiet. numpy only, no model, no words.

What it can and cannot do: it measures loudness, pitch and how much of the time a voice is heard, against a
running baseline of the same stream. It knows nothing of words, languages or moods. It takes one voice for
granted: a change of speaker, of microphone distance or of automatic gain looks like a change of tone until
the baseline has followed (about ten seconds). The first two seconds of voice make the baseline and are called
calm with little confidence. Music and steady hum between 75 and 400 Hz pass for a voice.
"""

from __future__ import annotations

import math
from typing import Any

from sessions_app.classifiers import CHUNK_BYTES, SAMPLE_RATE, ExtraMissing
from sessions_app.services.frames import Frame

PITCH_HZ = (75, 400)
VOICED_ABOVE = 0.45  # height of the autocorrelation's peak, 1 for a pure tone
SILENCE_DB = -55.0  # dB below full scale
WINDOW = 10  # chunks that one decision looks at: 1 s
STEP = 5  # chunks between two decisions
WARM_UP = 20  # voiced chunks before the baseline counts
MEMORY = 100  # voiced chunks that the baseline remembers, about
RAISED, URGENT = 1.0, 2.0  # shifts from which a tone is called so
LOUDER_DB, HIGHER_SEMITONES = 6.0, 3.0  # each alone is a shift of 1
EVERY, QUIET_EVERY = 20, 100  # chunks after which the same label is said again


class ToneClassifier:
    name = "tone"

    def start(self) -> ToneRun:
        try:
            import numpy
        except ImportError as error:
            raise ExtraMissing(
                "The tone classifier needs numpy: install the extra `audio` (requirements-optional.txt).",
                extra="audio",
            ) from error
        return ToneRun(numpy)


class ToneRun:
    """One stream: the chunks of the last second, the baseline, the label said last."""

    def __init__(self, numpy: Any) -> None:
        self._np = numpy
        samples = CHUNK_BYTES // 2
        self._size = 1 << (2 * samples - 1).bit_length()
        self._window = numpy.hanning(samples).astype(numpy.float32)
        self._window_correlation = self._correlation(self._window)
        low, high = PITCH_HZ
        self._lags = slice(SAMPLE_RATE // high, SAMPLE_RATE // low + 1)
        self._chunks: list[
            tuple[float, float | None]
        ] = []  # (dB, semitones above 1 Hz or None without a voice)
        self._baseline: tuple[float, float] | None = None
        self._voiced = self._fed = 0
        self._label, self._said_at = "", -EVERY

    def feed(self, pcm: bytes) -> list[Frame]:
        samples = self._np.frombuffer(pcm, dtype="<i2").astype(self._np.float32) / 32768.0
        frames = []
        for chunk in samples.reshape(-1, CHUNK_BYTES // 2):
            self._fed += 1
            self._chunks = [*self._chunks[1 - WINDOW :], self._measured(chunk)]
            if self._fed % STEP == 0 and (frame := self._decided()) is not None:
                frames.append(frame)
        return frames

    def close(self) -> None:
        self._chunks.clear()

    def _measured(self, chunk) -> tuple[float, float | None]:
        """Loudness and pitch of 100 ms."""
        power = float(self._np.mean(chunk * chunk))
        loudness_db = 10 * math.log10(power + 1e-12)
        if loudness_db < SILENCE_DB:
            return loudness_db, None
        pitch_hz = self._pitch_hz(chunk - chunk.mean())
        return loudness_db, pitch_hz and 12 * math.log2(pitch_hz)

    def _correlation(self, signal):
        spectrum = self._np.fft.rfft(signal, self._size)
        return self._np.fft.irfft(spectrum * spectrum.conj(), self._size)[: len(signal)]

    def _pitch_hz(self, chunk) -> float | None:
        """The pitch of a voice; None where nothing repeats itself. The window's own fall is divided out."""
        correlation = self._correlation(chunk * self._window)
        if correlation[0] <= 0:
            return None
        normal = correlation[self._lags] / correlation[0]
        normal = normal / (self._window_correlation[self._lags] / self._window_correlation[0])
        highest = float(normal.max())
        if highest <= VOICED_ABOVE:
            return None
        # Twice the period repeats as well as the period: the first peak of about that height is the pitch.
        best = int(self._np.argmax(normal >= 0.9 * highest))
        while best + 1 < len(normal) and normal[best + 1] > normal[best]:
            best += 1
        return SAMPLE_RATE / (self._lags.start + best)

    def _decided(self) -> Frame | None:
        """What the last second was; None when that has been said just now."""
        voiced = [(loudness, pitch) for loudness, pitch in self._chunks if pitch is not None]
        ratio = len(voiced) / len(self._chunks)
        if ratio < 0.2:
            return self._say("quiet", 0.5 + 0.5 * (1 - ratio / 0.2), 0.0)
        loudness = sum(each for each, _ in voiced) / len(voiced)
        pitch = sorted(pitch for _, pitch in voiced)[len(voiced) // 2]
        shift = self._shift(loudness, pitch)
        self._learn(loudness, pitch, min(len(voiced), STEP))
        if self._voiced <= WARM_UP:
            return self._say("calm", 0.5, 0.0)
        label = "urgent" if shift >= URGENT else "raised" if shift >= RAISED else "calm"
        return self._say(label, self._confidence(shift) * (0.7 + 0.3 * ratio), shift)

    def _shift(self, loudness: float, pitch: float) -> float:
        """How far from the baseline: 1 for 6 dB louder, or for 3 semitones higher; they add up."""
        if self._baseline is None:
            return 0.0
        usual_loudness, usual_pitch = self._baseline
        return (loudness - usual_loudness) / LOUDER_DB + (pitch - usual_pitch) / HIGHER_SEMITONES

    def _learn(self, loudness: float, pitch: float, chunks: int) -> None:
        self._voiced += chunks
        if self._baseline is None:
            self._baseline = loudness, pitch
            return
        weight = chunks / min(MEMORY, max(self._voiced, chunks))
        old_loudness, old_pitch = self._baseline
        self._baseline = (
            old_loudness + weight * (loudness - old_loudness),
            old_pitch + weight * (pitch - old_pitch),
        )

    def _confidence(self, shift: float) -> float:
        """0.5 on a border between two labels, towards 1 away from it."""
        distance = min(abs(shift - RAISED), abs(shift - URGENT))
        return 1 - 0.5 * math.exp(-2 * distance)

    def _say(self, label: str, confidence: float, shift: float) -> Frame | None:
        every = QUIET_EVERY if label == "quiet" else EVERY
        if label == self._label and self._fed - self._said_at < every:
            return None
        self._label, self._said_at = label, self._fed
        direction = "up" if shift > 0.25 else "down" if shift < -0.25 else "steady"
        size = round(min(abs(shift) / 3, 1.0), 3)
        return Frame(label, round(min(confidence, 0.99), 3), shift_magnitude=size, shift_direction=direction)
