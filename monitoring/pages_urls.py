"""Addresses of the pages; included at the root of the site."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from monitoring import annotation_pages, pages

urlpatterns = [
    path("", pages.wall, name="wall"),
    path("monitors/new/", pages.new_monitor, name="monitor-new"),
    path("monitors/<slug:slug>/", pages.monitor, name="monitor"),
    path("sessions/", pages.sessions, name="sessions"),
    path("sessions/<str:key>/", pages.session, name="session"),
    path("annotate/", annotation_pages.annotations, name="annotations"),
    path("annotate/<str:key>/", annotation_pages.annotate, name="annotate"),
    path("images/<str:key>/", pages.image, name="image"),
    path("events/", pages.events, name="events"),
    path("health/", pages.health, name="health-page"),
    path("tokens/", pages.tokens, name="tokens"),
    path("login/", pages.LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
