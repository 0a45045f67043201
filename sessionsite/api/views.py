"""The schema, a page to try it on, and the health report."""

from __future__ import annotations

from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from sessionsite.common.api.views import BaseView
from sessionsite.health import health_report


class SchemaView(SpectacularJSONAPIView):
    """OpenAPI 3 as JSON, for anybody: it names no data."""

    authentication_classes = ()
    permission_classes = ()


class DocsView(TemplateView):
    """Swagger UI without inline script or style, so that the site's content policy holds."""

    template_name = "sessionsite/api_docs.html"

    def get_context_data(self, **kwargs):
        return super().get_context_data(schema_url=reverse("api-schema"), **kwargs)


class HealthView(BaseView, APIView):
    @extend_schema(tags=["health"], summary="How the server is, part by part", responses=OpenApiTypes.OBJECT)
    def get(self, request):
        return Response(health_report(), headers={"Cache-Control": "no-store"})


docs = never_cache(DocsView.as_view())
