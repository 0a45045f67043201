"""The lean Django REST site: the views of the plain one, but pictures are taken without a serializer."""

from __future__ import annotations

import hashlib

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.lib.peers import drf_site
from benchmarks.lib.peers.drf_models import Picture, Session
from benchmarks.lib.peers.work import Refused, Way, inspect, parse

WAY = Way(decode="full", codec="standard")


class Pictures(APIView):
    def post(self, request, slug):
        try:
            data, about = parse(request.body, WAY)
            width, height, thumbnail = inspect(data, WAY)
        except Refused as error:
            return Response({"data": {"error": True, "result": f"Error: {error}"}}, status=400)
        return drf_site.added(self._keep(data, about, width, height, thumbnail))

    def _keep(self, data, about, width, height, thumbnail) -> Picture:
        image = default_storage.save("picture.bin", ContentFile(data))
        thumbnail_path = default_storage.save("picture.webp", ContentFile(thumbnail))
        with transaction.atomic():
            Session.objects.filter(pk=1, state="active").update(total=F("total") + 1)
            return Picture.objects.create(
                session_id=1,
                image=image,
                thumbnail=thumbnail_path,
                sha256=hashlib.sha256(data).hexdigest(),
                width=width,
                height=height,
                name=about.get("name", ""),
                label=about.get("tag", ""),
                taken_at=about.get("date", 0),
            )


urlpatterns = [path("monitor/<slug>/image", Pictures.as_view()), *drf_site.urlpatterns]
