"""Every address of the site. Live sockets and streams are routed in asgi.py."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
