"""Addresses of the rig: those of the outside system, and our own below /api/v1/."""

from django.urls import path

from monitoring.nina import api, pages, rest

urlpatterns = [
    path("api/nina/session-state", api.session_state, name="nina-session-state"),
    path("api/nina/session-state/refresh", api.refresh, name="nina-refresh"),
    path("api/config/health", api.config_health, name="nina-health"),
    path("api/nina/<slug:slug>/session-state", api.session_state, name="nina-session-state-of"),
    path("api/nina/<slug:slug>/session-state/refresh", api.refresh, name="nina-refresh-of"),
    path("api/nina/<slug:slug>/health", api.config_health, name="nina-health-of"),
    path("api/v1/rigs/<slug:slug>/state/", rest.RigStateView.as_view(), name="rig-state"),
    path("api/v1/rigs/<slug:slug>/events/", rest.RigEventsView.as_view(), name="rig-events"),
    path("api/v1/rigs/<slug:slug>/nights/<str:evening>/", rest.RigNightView.as_view(), name="rig-night"),
    path("rigs/<slug:slug>/", pages.rig, name="rig"),
]
