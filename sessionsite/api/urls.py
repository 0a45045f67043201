"""Everything below /api/."""

from django.urls import include, path, re_path

from sessionsite.api.views import HealthView, SchemaView, docs
from sessionsite.common.api.errors import no_such_route

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="api-schema"),
    path("docs/", docs, name="api-docs"),
    path("v1/health/", HealthView.as_view(), name="api-health"),
    path("v1/", include("sessionsite.accounts.api.urls")),
    path("v1/", include("devices.api.urls")),
    path("v1/", include("sessions_app.api.urls")),
    path("v1/", include("monitoring.api.urls")),
    re_path(r"^[\s\S]*\Z", no_such_route),
]
