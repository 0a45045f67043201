"""The life of a session: its states, the legal moves and the words for people, as data."""

from django.db import models


class State(models.TextChoices):
    CREATED = "created"
    ACTIVE = "active"
    RECORDING = "recording"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR = "error"
    EXPIRED = "expired"
    INTERRUPTED = "interrupted"


OPEN = (State.CREATED, State.ACTIVE, State.RECORDING, State.ERROR)  # at most one of these per monitor
ACCEPTING = (State.ACTIVE, State.RECORDING)  # what is sent live is taken
TERMINAL = (State.COMPLETED, State.EXPIRED, State.INTERRUPTED)

MOVES: dict[State, frozenset[State]] = {
    State.CREATED: frozenset({State.ACTIVE, State.ERROR}),
    State.ACTIVE: frozenset({State.RECORDING, State.PROCESSING, State.COMPLETED, State.EXPIRED, State.ERROR}),
    State.RECORDING: frozenset({State.ACTIVE, State.PROCESSING, State.COMPLETED, State.EXPIRED, State.ERROR}),
    State.PROCESSING: frozenset({State.COMPLETED, State.INTERRUPTED}),
    State.ERROR: frozenset({State.ACTIVE, State.INTERRUPTED}),
    State.COMPLETED: frozenset(),
    State.EXPIRED: frozenset(),
    State.INTERRUPTED: frozenset(),
}


# (shape, word) for people, on the pages and in the admin; js/marks.js has the same table.
SHOWN: dict[State, tuple[str, str]] = {
    State.CREATED: ("running", "running"),
    State.ACTIVE: ("running", "running"),
    State.RECORDING: ("running", "recording"),
    State.PROCESSING: ("paused", "processing"),
    State.COMPLETED: ("ended", "ended"),
    State.EXPIRED: ("ended", "expired"),
    State.INTERRUPTED: ("ended", "interrupted"),
    State.ERROR: ("error", "error"),
}
# (value, word) to choose from, where two states of one word could not be told apart.
CHOICES = [(state.value, "created" if state == State.CREATED else SHOWN[state][1]) for state in State]


class Kind(models.TextChoices):
    MONITOR = "monitor"
    RECORDING = "recording"
    RIG = "rig"
    ANNOTATION = "annotation"
