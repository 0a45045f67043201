"""Addresses of the rig: those of the outside system, and our own below /api/v1/."""

from django.urls import path

from monitoring.nina import api, pages

urlpatterns = [
    path("api/nina/session-state", api.session_state, name="nina-session-state"),
    path("api/nina/session-state/refresh", api.refresh, name="nina-refresh"),
    path("api/config/health", api.config_health, name="nina-health"),
    path("api/nina/<slug:slug>/session-state", api.session_state, name="nina-session-state-of"),
    path("api/nina/<slug:slug>/session-state/refresh", api.refresh, name="nina-refresh-of"),
    path("api/nina/<slug:slug>/health", api.config_health, name="nina-health-of"),
    path("api/v1/rigs/<slug:slug>/state/", api.rig_page_state, name="rig-state"),
    path("api/v1/rigs/<slug:slug>/events/", api.rig_events, name="rig-events"),
    path("api/v1/rigs/<slug:slug>/nights/<str:evening>/", api.rig_night, name="rig-night"),
    path("api/v1/sessions/<str:key>/report/", api.report, name="session-report-json"),
    path("rigs/<slug:slug>/", pages.rig, name="rig"),
    path("sessions/<str:key>/report/", pages.report, name="session-report"),
]
