"""Shapes of monitors, pictures, boxes and datasets; live states come from state.py and messages.py."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from monitoring.boxes import EDGE_TOLERANCE, MAX_LABEL_CHARS
from monitoring.messages import EditorMessage, ImageMessage, TagMessage
from monitoring.models import Image, Monitor, Presence, Tag
from monitoring.rates import MAX_MINUTES
from monitoring.services.edits import COMMENT_MAX
from monitoring.services.images import DATASET_KEY_MAX, NAME_MAX
from monitoring.state import STATUSES
from sessions_app.api.serializers import EventSerializer
from sessions_app.states import Kind, State
from sessionsite.common.api.fields import (
    MomentField,
    NumberField,
    PatternField,
    QuerySerializer,
    StrictSerializer,
    TextField,
    WholeField,
    YesNoField,
)
from sessionsite.common.api.shapes import shape_of

KINDS = [kind for kind, _ in Monitor.KINDS]
REVIEWS = [review for review, _ in Image.REVIEWS]
SPLITS = [split for split, _ in Image.SPLITS]
KEYS_MAX = 500  # pictures that a bulk verb is told one by one
SOURCES = [source for source, _ in Tag.SOURCES]
Counts = serializers.DictField


class FractionField(serializers.FloatField):
    """A part of the picture's width or height, on its way out."""

    def __init__(self, **kwargs):
        super().__init__(min_value=0, max_value=1 + EDGE_TOLERANCE, **kwargs)


@extend_schema_field({"type": "number", "minimum": 0, "maximum": 1})
class BoxNumberField(serializers.Field):
    """A part of the picture's width or height, on its way in: the verb decides."""

    def to_internal_value(self, data):
        return data


# -- what leaves ---------------------------------------------------------------------------------------------
TagSerializer = shape_of(
    TagMessage,
    name="Tag",
    x=FractionField(help_text="From the left, as a fraction of the width."),
    y=FractionField(help_text="From the top, as a fraction of the height."),
    w=FractionField(),
    h=FractionField(),
    source=serializers.ChoiceField(choices=SOURCES),
)
ImageSerializer = shape_of(
    ImageMessage,
    name="Image",
    review=serializers.ChoiceField(choices=REVIEWS),
    split=serializers.ChoiceField(choices=SPLITS),
    tags=TagSerializer(many=True),
)


EditorSerializer = shape_of(EditorMessage, name="Editor")


class AddedImageSerializer(serializers.Serializer):
    """The picture is kept. `repeated`: it was there before and counted once."""

    key = serializers.CharField()
    session = serializers.CharField(allow_null=True)
    repeated = serializers.BooleanField()
    url = serializers.CharField()
    file_url = serializers.CharField()
    thumbnail_url = serializers.CharField()


class TagChangeSerializer(serializers.Serializer):
    at = MomentField()
    tag = serializers.CharField(source="tag_key", help_text="Empty for an edit of the whole picture.")
    verb = serializers.ChoiceField(choices=["added", "changed", "deleted", "picture"])
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    author = serializers.CharField()
    source = serializers.ChoiceField(choices=SOURCES)
    image_revision = serializers.IntegerField()
    act = serializers.ChoiceField(choices=["", "undo", "redo"], help_text="Empty for an edit by itself.")
    of_revision = serializers.IntegerField(allow_null=True, help_text="Which edit it undoes or redoes.")
    batch = serializers.CharField(help_text="Edits that were made together.")


class DatasetSerializer(serializers.Serializer):
    key = serializers.CharField()
    organisation = serializers.CharField(source="organisation.slug")
    name = serializers.CharField()
    type = serializers.CharField()
    valid_percent = serializers.FloatField(allow_null=True, help_text="Share of the pictures in no split.")
    test_percent = serializers.FloatField(allow_null=True)
    created_at = MomentField()


class CountedDatasetSerializer(DatasetSerializer):
    image_count = serializers.IntegerField()
    labels = Counts(child=serializers.IntegerField(), help_text="Pictures per label, empty for unlabelled.")
    tag_counts = Counts(child=serializers.IntegerField(), help_text="Boxes per label.")


class CoverageSerializer(serializers.Serializer):
    day = serializers.DateField(help_text="UTC.")
    monitor = serializers.CharField(allow_null=True)
    monitor_name = serializers.CharField()
    images = serializers.IntegerField()
    boxed = serializers.IntegerField(help_text="Pictures with a box.")
    reviewed = serializers.IntegerField()


def per_split(words: str) -> serializers.DictField:
    return Counts(child=Counts(child=serializers.IntegerField()), help_text=words)


class DatasetSummarySerializer(serializers.Serializer):
    """The splits are train, valid, test and none; chosen, or given by the dataset's shares."""

    splits = Counts(child=serializers.IntegerField(), help_text="Pictures per split.")
    labels = per_split("Pictures per label and split.")
    boxes = per_split("Boxes per label and split.")
    coverage = CoverageSerializer(many=True)


class RelabelRowSerializer(serializers.Serializer):
    label = serializers.CharField()
    becomes = serializers.CharField()
    boxes = serializers.IntegerField()
    picture_labels = serializers.IntegerField()
    is_merge = serializers.BooleanField(help_text="The new label is there already.")


class RelabelPreviewSerializer(serializers.Serializer):
    labels = RelabelRowSerializer(many=True)
    pictures = serializers.IntegerField(help_text="That would be changed.")


class MonitorSerializer(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    organisation = serializers.CharField()
    dataset = serializers.CharField(allow_null=True)
    status = serializers.CharField(read_only=True)
    expected_interval_s = serializers.FloatField(allow_null=True)
    quota_bytes = serializers.IntegerField(allow_null=True)
    stored_bytes = serializers.IntegerField()
    capture_for_training = serializers.BooleanField()
    is_demo = serializers.BooleanField()
    revision = serializers.IntegerField()
    created_at = MomentField()
    archived_at = MomentField(allow_null=True)


class RunningSessionSerializer(serializers.Serializer):
    key = serializers.CharField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    state = serializers.ChoiceField(choices=State.choices)
    started_at = MomentField()
    started_by = serializers.CharField()
    total_counter = serializers.IntegerField()
    notes = serializers.CharField()
    notes_revision = serializers.IntegerField()
    notes_by = serializers.CharField()
    notes_at = MomentField(allow_null=True)
    revision = serializers.IntegerField()
    last_seq = serializers.IntegerField()


class EndedSessionSerializer(serializers.Serializer):
    key = serializers.CharField()
    started_at = MomentField()
    stopped_at = MomentField(allow_null=True)
    total_counter = serializers.IntegerField()
    end_reason = serializers.CharField()
    notes = serializers.CharField()
    notes_revision = serializers.IntegerField()
    notes_by = serializers.CharField()
    notes_at = MomentField(allow_null=True)


class FlowSerializer(serializers.Serializer):
    current_flow_rate = serializers.FloatField(help_text="Pictures in the last 60 s.")
    unit = serializers.CharField()
    window_s = serializers.IntegerField()
    total_processed = serializers.IntegerField()
    bucket_s = serializers.IntegerField()
    recent = serializers.ListField(child=serializers.IntegerField(), help_text="Oldest first.")
    until = MomentField(help_text="The end of the last bucket.")


class ControllerRequestSerializer(serializers.Serializer):
    id = serializers.CharField()
    command = serializers.CharField()
    params = serializers.DictField()


class ControllerSerializer(serializers.Serializer):
    """What the server asks of the controller. `status` is true until it has acknowledged; `acked_at`: when
    one last did, null where none ever has.
    """

    status = serializers.BooleanField()
    request = ControllerRequestSerializer(allow_null=True)
    acked_at = serializers.DateTimeField(allow_null=True)


class MonitorStateSerializer(serializers.Serializer):
    """What the operator of one monitor sees: the same object as on the topic `monitor:<slug>`."""

    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    organisation = serializers.CharField()
    dataset = serializers.CharField(allow_null=True)
    is_demo = serializers.BooleanField()
    running = serializers.BooleanField()
    status = serializers.ChoiceField(choices=STATUSES)
    presence = serializers.ChoiceField(choices=[word for word in Presence.values if word], allow_null=True)
    expected_interval_s = serializers.FloatField(allow_null=True)
    session = RunningSessionSerializer(allow_null=True)
    last_session = EndedSessionSerializer(allow_null=True)
    total_counter = serializers.IntegerField()
    flow = FlowSerializer()
    controller = ControllerSerializer()
    training = serializers.BooleanField()
    last_image = ImageSerializer(allow_null=True)
    labels = Counts(child=serializers.IntegerField(), help_text="Pictures of the session per label.")
    reviews = Counts(child=serializers.IntegerField(), help_text="Pictures of the session per review mark.")
    last_item_at = MomentField(allow_null=True)
    revision = serializers.IntegerField()


class DiskSerializer(serializers.Serializer):
    free_bytes = serializers.IntegerField()
    total_bytes = serializers.IntegerField()
    reserve_bytes = serializers.IntegerField()
    days_left = serializers.FloatField(allow_null=True)
    status = serializers.ChoiceField(choices=["ok", "low", "full"])


@extend_schema_serializer(many=False)  # one answer, although its address has no key
class FleetSerializer(serializers.Serializer):
    """Everything the live wall of one organisation shows."""

    organisation = serializers.CharField()
    revision = serializers.IntegerField()
    counts = Counts(child=serializers.IntegerField(), help_text="Monitors per status.")
    monitors = MonitorStateSerializer(many=True)
    doubtful = serializers.IntegerField(help_text="Pictures of all sessions marked doubtful.")
    disk = DiskSerializer()
    events = EventSerializer(many=True)


class RateSerializer(serializers.Serializer):
    bucket_s = serializers.IntegerField()
    counts = serializers.ListField(child=serializers.IntegerField(), help_text="Pictures, oldest first.")

    def get_fields(self):
        return {**super().get_fields(), "from": MomentField(help_text="The begin of the first bucket.")}


# -- what comes in -------------------------------------------------------------------------------------------
class NewMonitorSerializer(StrictSerializer):
    slug = PatternField(
        "[a-z0-9-]{1,64}", hint="Use 1 to 64 of a-z, 0-9 and -.", help_text="Unique on the server."
    )
    name = TextField(max_length=200, allow_blank=True, default="")
    kind = serializers.ChoiceField(choices=KINDS, default="camera")
    dataset = TextField(max_length=DATASET_KEY_MAX, allow_null=True, default=None)
    expected_interval_s = NumberField(min_value=0.001, max_value=86400, allow_null=True, default=None)
    quota_bytes = WholeField(min_value=0, max_value=2**63 - 1, allow_null=True, default=None)
    organisation = TextField(max_length=64, required=False)


class MonitorChangeSerializer(StrictSerializer):
    name = TextField(max_length=200, required=False)
    kind = serializers.ChoiceField(choices=KINDS, required=False)
    dataset = TextField(max_length=DATASET_KEY_MAX, allow_null=True, required=False)
    expected_interval_s = NumberField(min_value=0.001, max_value=86400, allow_null=True, required=False)
    quota_bytes = WholeField(min_value=0, max_value=2**63 - 1, allow_null=True, required=False)
    capture_for_training = YesNoField(required=False)


class OrganisationNamedSerializer(StrictSerializer):
    organisation = TextField(max_length=64, required=False)


class GoneDemoSerializer(serializers.Serializer):
    monitors = serializers.IntegerField()
    sessions = serializers.IntegerField()
    images = serializers.IntegerField()
    bytes = serializers.IntegerField()


class StartSerializer(StrictSerializer):
    uid = TextField(
        max_length=200, allow_blank=True, default="", help_text="On whose behalf, for the session's record."
    )


class AcknowledgementSerializer(StrictSerializer):
    request_id = TextField(max_length=40)


class AcknowledgedSerializer(serializers.Serializer):
    """`acknowledged` is false, and nothing changed, when the id is not the pending one."""

    acknowledged = serializers.BooleanField()
    controller = ControllerSerializer()


class NewDatasetSerializer(StrictSerializer):
    name = TextField(max_length=200)
    type = TextField(max_length=40, allow_blank=True, default="")
    key = PatternField(
        r"[^/\x00-\x1f\x7f]{1,100}",
        hint="Use 1 to 100 characters, no slash and no control character.",
        required=False,
        help_text="An id from elsewhere; else made here.",
    )
    organisation = TextField(max_length=64, required=False)


class DatasetChangeSerializer(StrictSerializer):
    name = TextField(max_length=200, required=False)
    type = TextField(max_length=40, allow_blank=True, required=False)
    valid_percent = NumberField(min_value=0, max_value=100, allow_null=True, required=False)
    test_percent = NumberField(min_value=0, max_value=100, allow_null=True, required=False)


class RelabelSerializer(StrictSerializer):
    labels = serializers.DictField(
        child=TextField(max_length=MAX_LABEL_CHARS),
        help_text="Old label -> new label; several may become one.",
    )
    dry_run = YesNoField(default=False)


class ImageChangeSerializer(StrictSerializer):
    label = TextField(max_length=MAX_LABEL_CHARS, allow_blank=True, required=False)
    review = serializers.ChoiceField(choices=REVIEWS, required=False, help_text="Needs the right review.")
    review_comment = TextField(
        max_length=COMMENT_MAX, allow_blank=True, required=False, help_text="Needs the right review."
    )
    split = serializers.ChoiceField(choices=SPLITS, required=False)


class BoxSerializer(StrictSerializer):
    label = TextField(max_length=MAX_LABEL_CHARS)
    x = BoxNumberField()
    y = BoxNumberField()
    w = BoxNumberField()
    h = BoxNumberField()


class NewTagSerializer(BoxSerializer):
    source = serializers.ChoiceField(
        choices=SOURCES, required=False, help_text="device for a token, operator for a person, unless given."
    )
    key = PatternField(
        "tg_[0-9a-z]{26}",
        hint="Use tg_ and 26 characters.",
        required=False,
        help_text="Made by the caller; the same again returns the box, for answers that were lost.",
    )


class TagChangesSerializer(StrictSerializer):
    label = TextField(max_length=MAX_LABEL_CHARS, required=False)
    x = BoxNumberField(required=False)
    y = BoxNumberField(required=False)
    w = BoxNumberField(required=False)
    h = BoxNumberField(required=False)


class TagListSerializer(StrictSerializer):
    tags = BoxSerializer(many=True)
    source = serializers.ChoiceField(choices=SOURCES, required=False)


class PreviewRequestSerializer(StrictSerializer):
    review = serializers.ChoiceField(choices=REVIEWS)
    keys = serializers.ListField(
        child=TextField(max_length=40),
        max_length=KEYS_MAX,
        required=False,
        help_text="Only these of the pictures that the query finds.",
    )


class BulkReviewSerializer(PreviewRequestSerializer):
    comment = TextField(max_length=COMMENT_MAX, allow_blank=True, default="")
    upto = MomentField(required=False, help_text="As the preview said: pictures that came later stay out.")


class ReviewPreviewSerializer(serializers.Serializer):
    matched = serializers.IntegerField()
    changes = serializers.IntegerField(help_text="Pictures whose mark would be another.")
    is_too_many = serializers.BooleanField(help_text="More match than one request takes.")
    by_review = Counts(child=serializers.IntegerField())
    by_label = Counts(child=serializers.IntegerField())
    by_monitor = Counts(child=serializers.IntegerField())
    upto = MomentField(allow_null=True)


class BulkReviewDoneSerializer(serializers.Serializer):
    batch = serializers.CharField(help_text="For its undo.")
    changed = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="Pictures that somebody changed meanwhile.")


class EditingSerializer(StrictSerializer):
    client = PatternField(
        "[0-9a-zA-Z-]{8,40}", hint="A word of 8 to 40 letters and digits, one per open page."
    )
    tag = TextField(max_length=40, allow_blank=True, default="", help_text="The box that is chosen.")


class PictureFields(StrictSerializer):
    """What may be said of a picture that is uploaded."""

    name = serializers.CharField(max_length=NAME_MAX, allow_blank=True, required=False)
    taken_at = MomentField(required=False, help_text="Now, unless given.")
    label = serializers.CharField(max_length=MAX_LABEL_CHARS, allow_blank=True, required=False)
    dataset = serializers.CharField(
        max_length=DATASET_KEY_MAX, required=False, help_text="A dataset's key; an unknown one is made."
    )


@extend_schema_field(OpenApiTypes.STR)
class Base64Field(serializers.Field):
    """Long text that is decoded next: it is not searched character by character before."""

    default_error_messages = {"invalid": "Not a valid string."}

    def to_internal_value(self, data):
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Base64PictureSerializer(PictureFields):
    image = Base64Field(help_text="Base64, with or without a data-URL prefix.")


class FilePictureSerializer(PictureFields):
    image = serializers.FileField(allow_empty_file=True)


class PictureQuery(QuerySerializer, PictureFields):
    """The same for a raw body, whose fields are in the query or in X-Image-… headers."""


class RateQuery(QuerySerializer):
    minutes = serializers.IntegerField(min_value=1, max_value=MAX_MINUTES, default=60)


class FleetQuery(QuerySerializer):
    organisation = serializers.CharField(
        max_length=64, required=False, help_text="The caller's first one, unless given."
    )


class NoQuery(QuerySerializer):
    """No parameter at all."""
