"""Frames over REST and over the socket: the same body, the same verb."""

from __future__ import annotations

from rest_framework import serializers

from sessions_app.models import Session
from sessions_app.services.frames import FRAMES_MAX, Frame, Taken, add_frames
from sessionsite.accounts import rates
from sessionsite.common.access import Caller
from sessionsite.common.api.errors import DEFAULT_TEXTS, translated
from sessionsite.common.api.fields import MomentField, NumberField, StrictSerializer, TextField, WordsField
from sessionsite.common.api.parsers import check_json
from sessionsite.common.api.permissions import lacks
from sessionsite.common.api.shapes import shape_of
from sessionsite.common.errors import Missing

TakenSerializer = shape_of(Taken, name="FramesTaken")


class FrameSerializer(StrictSerializer):
    """What a producer says of one moment."""

    label = TextField(max_length=100)
    confidence = NumberField(min_value=0, max_value=1)
    speaker_id = TextField(max_length=100, allow_blank=True, required=False)
    shift_magnitude = NumberField(min_value=0, max_value=1, required=False)
    shift_direction = serializers.ChoiceField(choices=["up", "down", "steady"], required=False)
    affect = TextField(max_length=100, allow_blank=True, required=False)
    subtext = TextField(max_length=500, allow_blank=True, required=False)
    prosody_flags = WordsField(max_length=20, required=False)
    at = MomentField(required=False, help_text="Now, unless given.")


class FramesSerializer(StrictSerializer):
    """Several frames at once; a single one may also be sent as it is."""

    frames = FrameSerializer(many=True, allow_empty=False, max_length=FRAMES_MAX)


def frames_of(data) -> list[Frame]:
    """The frames of a body, a batch or a single one. Raises ValidationError."""
    is_batch = isinstance(data, dict) and "frames" in data
    serializer = (FramesSerializer if is_batch else FrameSerializer)(data=data)
    serializer.is_valid(raise_exception=True)
    found = serializer.validated_data["frames"] if is_batch else [serializer.validated_data]
    return [Frame(**{**each, "prosody_flags": tuple(each.get("prosody_flags", ()))}) for each in found]


def take_from_socket(caller: Caller, message: dict) -> dict:
    """{"type": "frames", "topic": "session:<key>", "frames": […]}: the answer, with the topic.

    Raises a DomainError for what REST refuses too.
    """
    topic = message.get("topic")
    rates.admit(caller, rates.INGEST)
    try:
        check_json(message)
        session = _session_of(caller, topic)
        frames = frames_of({"frames": message.get("frames")})
    except serializers.ValidationError as error:
        raise translated(error) from error
    taken = add_frames(session, frames, by=caller.name)
    return {"topic": topic, "accepted": taken.accepted, "below_threshold": taken.below_threshold,
            "last_seq": taken.last_seq}  # fmt: skip


def _session_of(caller: Caller, topic) -> Session:
    key = topic.removeprefix("session:") if isinstance(topic, str) else ""
    session = Session.objects.visible_to(caller).filter(key=key[:40]).first()
    if session is None:
        raise Missing(DEFAULT_TEXTS[404])
    if not caller.may("ingest", session.organisation_id):
        raise lacks("ingest")
    return session
