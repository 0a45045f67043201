"""Shapes of sessions and journal entries; the answers themselves come from messages.py."""

from rest_framework import serializers

from sessions_app.messages import EventMessage, SessionMessage
from sessions_app.services.markers import LABEL_MAX
from sessions_app.severity import SEVERITY_WORDS
from sessions_app.states import Kind, State
from sessionsite.common.api.fields import (
    MomentField,
    QuerySerializer,
    StrictSerializer,
    TextField,
    WholeField,
)
from sessionsite.common.api.pagination import MAX_LIMIT
from sessionsite.common.api.shapes import shape_of

MAX_IDLE_TTL_S = 30 * 24 * 3600

SessionSerializer = shape_of(
    SessionMessage,
    name="Session",
    kind=serializers.ChoiceField(choices=Kind.choices),
    state=serializers.ChoiceField(choices=State.choices),
    labels=serializers.DictField(child=serializers.IntegerField(), help_text="Pictures per label."),
    tag_counts=serializers.DictField(child=serializers.IntegerField(), help_text="Boxes per label."),
    reviews=serializers.DictField(child=serializers.IntegerField(), help_text="Pictures per review mark."),
)
EventSerializer = shape_of(
    EventMessage, name="Event", severity=serializers.ChoiceField(choices=SEVERITY_WORDS)
)


class EventPageSerializer(serializers.Serializer):
    """Journal entries in the order of their numbers."""

    next = serializers.CharField(allow_null=True, help_text="Where the entries after these are.")
    previous = serializers.CharField(allow_null=True, help_text="Always null: the journal is read forward.")
    results = EventSerializer(many=True)


class SessionStartSerializer(StrictSerializer):
    """Only annotation sessions begin here; the others begin with a monitor, a rig or a device."""

    organisation = TextField(
        max_length=64, required=False, help_text="Its slug; needed by members of several."
    )
    kind = serializers.ChoiceField(choices=[Kind.ANNOTATION.value])
    name = TextField(max_length=200, allow_blank=True, default="")
    idle_ttl_s = WholeField(
        min_value=1,
        max_value=MAX_IDLE_TTL_S,
        allow_null=True,
        required=False,
        help_text="Seconds without a reader after which it ends; null: never. Default: SESSION_IDLE_TTL_S.",
    )
    elcor = serializers.BooleanField(default=False, help_text="Its frames get a subtext.")


NOTES_MAX = 20_000


class NotesSerializer(serializers.Serializer):
    """A session's notes and who wrote them last."""

    text = serializers.CharField()
    revision = serializers.IntegerField(help_text="Of the notes alone; their ETag.")
    by = serializers.CharField()
    at = MomentField(allow_null=True)


class NewNotesSerializer(StrictSerializer):
    text = TextField(max_length=NOTES_MAX, allow_blank=True, trim_whitespace=False)


class SessionChangeSerializer(StrictSerializer):
    name = TextField(max_length=200, allow_blank=True, required=False)
    notes = TextField(max_length=NOTES_MAX, allow_blank=True, required=False, trim_whitespace=False)


class MarkerSerializer(StrictSerializer):
    label = TextField(max_length=LABEL_MAX)
    at = MomentField(required=False, help_text="Now, unless given.")
    severity = serializers.ChoiceField(choices=SEVERITY_WORDS, default="info")
    detail = serializers.DictField(required=False, help_text="Whatever else belongs to it.")


class ReasonSerializer(StrictSerializer):
    reason = TextField(max_length=64, allow_blank=True, default="")


class JournalQuery(QuerySerializer):
    after = serializers.IntegerField(min_value=0, max_value=2**63 - 1, default=0, help_text="Exclusive.")
    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=50)
