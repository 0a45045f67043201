"""Every address of the site. Pictures with a token, sockets and streams have their own lanes (lanes.py)."""

from django.contrib import admin
from django.urls import include, path

from sessionsite.health import healthz, readyz
from sessionsite.metrics import metrics

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("monitoring.nina.urls")),
    path("api/", include("sessionsite.api.urls")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("", include("monitoring.api.rosepetal_urls")),
    path("", include("sessions_app.api.linnet_urls")),
    path("", include("monitoring.pages_urls")),
]

# What fails before or outside a view is JSON below /api/ and a page elsewhere.
handler400 = "sessionsite.common.api.errors.bad_request"
handler403 = "sessionsite.common.api.errors.permission_denied"
handler404 = "sessionsite.common.api.errors.page_not_found"
handler500 = "sessionsite.common.api.errors.server_error"
