"""A plain Django REST Framework site: what the documentation gives for the same tasks.

Sync views, serializers, the ORM, one commit per request. Importing it needs the settings of drf.py.
"""

from __future__ import annotations

import base64
import hashlib
import io
import uuid

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.files.base import ContentFile
from django.db import models, transaction
from django.db.models import F
from django.urls import path
from PIL import Image
from rest_framework import generics, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.lib.peers.drf_models import Event, Picture, Session
from benchmarks.lib.peers.work import THUMBNAIL, WEBP

PNG = b"\x89PNG"


class Base64ImageField(serializers.ImageField):
    """A picture in JSON, as people write it: decoded into a file, which is then checked like any upload."""

    def to_internal_value(self, data):
        try:
            content = base64.b64decode(data, validate=True)
        except (TypeError, ValueError):
            self.fail("invalid")
        extension = "png" if content.startswith(PNG) else "jpg"
        return super().to_internal_value(ContentFile(content, name=f"{uuid.uuid4()}.{extension}"))


class AboutSerializer(serializers.ModelSerializer):
    tag = serializers.CharField(source="label", max_length=100)
    date = serializers.IntegerField(source="taken_at")

    class Meta:
        model = Picture
        fields = ["name", "tag", "date"]


class PictureSerializer(serializers.ModelSerializer):
    image = Base64ImageField()
    image_data = AboutSerializer(source="*")

    class Meta:
        model = Picture
        fields = ["image", "image_data"]

    def create(self, validated_data):
        image = validated_data.pop("image")
        (width, height), thumbnail = thumbnail_of(image)
        sha256 = hashlib.sha256(image.file.getbuffer()).hexdigest()
        picture = Picture(session_id=1, width=width, height=height, sha256=sha256, **validated_data)
        # The files come first: on SQLite every other request waits while a transaction is open.
        picture.image.save(image.name, image, save=False)
        picture.thumbnail.save(f"{uuid.uuid4()}.webp", thumbnail, save=False)
        with transaction.atomic():
            Session.objects.filter(pk=1, state="active").update(total=F("total") + 1)
            picture.save()
        return picture


def thumbnail_of(image) -> tuple[tuple[int, int], ContentFile]:
    """The size of a picture that was decoded to its end, and its thumbnail. Raises ValidationError."""
    stream = io.BytesIO()
    try:
        picture = Image.open(image)
        small = picture.convert("RGB")
    except OSError as error:
        raise serializers.ValidationError({"image": "not a whole picture"}) from error
    small.thumbnail(THUMBNAIL)
    small.save(stream, "WEBP", **WEBP)
    return picture.size, ContentFile(stream.getvalue())


class Pictures(APIView):
    def post(self, request, slug):
        asked = PictureSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return added(asked.save())


def added(picture: Picture) -> Response:
    """Those who watch are told the new total; the answer names the picture."""
    total = Session.objects.values_list("total", flat=True).get(pk=1)
    async_to_sync(get_channel_layer().group_send)("watchers", {"type": "state", "total_counter": total})
    return Response({"data": {"error": False, "result": "Added image", "id": str(picture.pk)}})


class SessionSerializer(serializers.ModelSerializer):
    class Meta:
        model = Session
        fields = ["id", "state", "total", "last_seq", "started_at", "notes"]


class EventSerializer(serializers.Serializer):
    label = serializers.CharField(max_length=200)
    detail = serializers.DictField(required=False)


class State(APIView):
    """What a monitor shows: its session, its newest picture, the number of each label."""

    def get(self, request, slug):
        session = Session.objects.get(pk=1)
        newest = Picture.objects.filter(session=session).order_by("-id").values("name", "label").first()
        labels = Picture.objects.filter(session=session).values("label").annotate(count=models.Count("id"))
        content = {**SessionSerializer(session).data, "last_image": newest, "labels": list(labels)}
        return Response(content)


class Sessions(generics.ListAPIView):
    serializer_class = SessionSerializer

    def get_queryset(self):
        return Session.objects.all()[:50]


class Events(APIView):
    def post(self, request, key):
        asked = EventSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        with transaction.atomic():
            Session.objects.filter(pk=1).update(last_seq=F("last_seq") + 1)
            seq = Session.objects.values_list("last_seq", flat=True).get(pk=1)
            event = Event.objects.create(session_id=1, seq=seq, kind="marker", detail=asked.validated_data)
        return Response({"seq": event.seq}, status=201)


class Total(APIView):
    authentication_classes = []
    permission_classes = []

    def get(self, request):
        return Response({"total_counter": Session.objects.values_list("total", flat=True).get(pk=1)})


urlpatterns = [
    path("monitor/<slug>/image", Pictures.as_view()),
    path("state/<slug>/", State.as_view()),
    path("sessions/", Sessions.as_view()),
    path("sessions/<key>/events/", Events.as_view()),
    path("total", Total.as_view()),
]
