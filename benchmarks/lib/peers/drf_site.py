"""A plain Django REST Framework site: what the textbook gives for the same tasks.

Sync views, the ORM, one commit per request. Importing it needs the settings of drf.py.
"""

from __future__ import annotations

import hashlib
import os

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, models, transaction
from django.db.models import F
from django.urls import path
from rest_framework import authentication, exceptions, generics, permissions, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.lib.peers.work import TOKEN, Refused, Way, inspect, parse

WAY = Way(decode="full", codec="standard", fsync=os.environ.get("PEER_FSYNC", "") == "1")


class Token(models.Model):
    digest = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "peer"

    def __str__(self):
        return self.name


class Session(models.Model):
    state = models.CharField(max_length=16, default="active")
    total = models.BigIntegerField(default=0)
    last_seq = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    notes = models.TextField(blank=True)

    class Meta:
        app_label = "peer"
        ordering = ["-started_at", "-id"]

    def __str__(self):
        return self.state


class Picture(models.Model):
    session = models.ForeignKey(Session, models.CASCADE)
    path = models.CharField(max_length=255)
    thumbnail = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    width = models.IntegerField()
    height = models.IntegerField()
    name = models.CharField(max_length=255)
    label = models.CharField(max_length=100)
    taken_at = models.BigIntegerField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "peer"

    def __str__(self):
        return self.name


class Event(models.Model):
    session = models.ForeignKey(Session, models.CASCADE)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    at = models.DateTimeField(auto_now_add=True)
    detail = models.JSONField(default=dict)

    class Meta:
        app_label = "peer"
        constraints = [models.UniqueConstraint(fields=["session", "seq"], name="one_per_seq")]

    def __str__(self):
        return f"{self.seq} {self.kind}"


class Caller:
    is_authenticated = True


class TokenAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request):
        secret = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = Token.objects.filter(digest=hashlib.sha256(secret.encode()).hexdigest()).first()
        if token is None:
            raise exceptions.AuthenticationFailed
        return Caller(), token


class Guarded(APIView):
    authentication_classes = [TokenAuthentication]
    permission_classes = [permissions.IsAuthenticated]


class Pictures(Guarded):
    def post(self, request, slug):
        try:
            data, about = parse(request.body, WAY)
            width, height, thumbnail = inspect(data, WAY)
        except Refused as error:
            return Response({"data": {"error": True, "result": f"Error: {error}"}}, status=400)
        picture = self._keep(data, about, width, height, thumbnail)
        total = Session.objects.values_list("total", flat=True).get(pk=1)
        async_to_sync(get_channel_layer().group_send)("watchers", {"type": "state", "total_counter": total})
        return Response({"data": {"error": False, "result": "Added image", "id": str(picture.pk)}})

    def _keep(self, data, about, width, height, thumbnail) -> Picture:
        path = default_storage.save("picture.bin", ContentFile(data))
        thumbnail_path = default_storage.save("picture.webp", ContentFile(thumbnail))
        with transaction.atomic():
            Session.objects.filter(pk=1, state="active").update(total=F("total") + 1)
            return Picture.objects.create(
                session_id=1,
                path=path,
                thumbnail=thumbnail_path,
                sha256=hashlib.sha256(data).hexdigest(),
                width=width,
                height=height,
                name=about.get("name", ""),
                label=about.get("tag", ""),
                taken_at=about.get("date", 0),
            )


class SessionSerializer(serializers.ModelSerializer):
    class Meta:
        model = Session
        fields = ["id", "state", "total", "last_seq", "started_at", "notes"]


class EventSerializer(serializers.Serializer):
    label = serializers.CharField(max_length=200)
    detail = serializers.DictField(required=False)


class State(Guarded):
    """What a monitor shows: its session, its newest picture, the number of each label."""

    def get(self, request, slug):
        session = Session.objects.get(pk=1)
        newest = Picture.objects.filter(session=session).order_by("-id").values("name", "label").first()
        labels = Picture.objects.filter(session=session).values("label").annotate(count=models.Count("id"))
        content = {**SessionSerializer(session).data, "last_image": newest, "labels": list(labels)}
        return Response(content)


class Sessions(generics.ListAPIView, Guarded):
    serializer_class = SessionSerializer

    def get_queryset(self):
        return Session.objects.all()[:50]


class Events(Guarded):
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


def create_tables(sessions: int = 60) -> None:
    """The tables are there with one token and some sessions; nothing happens the second time."""
    with connection.schema_editor() as editor:
        if Token._meta.db_table in connection.introspection.table_names():
            return
        for model in (Token, Session, Picture, Event):
            editor.create_model(model)
    Token.objects.create(digest=hashlib.sha256(TOKEN.encode()).hexdigest(), name="camera")
    Session.objects.bulk_create(Session(notes="x" * 40) for _ in range(sessions))
    connection.close()
