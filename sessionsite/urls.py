"""Every address of the site. Live sockets and streams are routed in asgi.py."""

from django.contrib import admin
from django.urls import path

from sessionsite.health import healthz, readyz
from sessionsite.metrics import metrics

urlpatterns = [
    path("admin/", admin.site.urls),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
]
