"""Addresses of the pages; included at the root of the site."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from monitoring import (
    annotation_pages,
    dataset_pages,
    pages,
    people_pages,
    report_pages,
    review_pages,
    storage_pages,
)
from monitoring.api.views.jobs import linked_file

urlpatterns = [
    path("", pages.wall, name="wall"),
    path("monitors/new/", pages.new_monitor, name="monitor-new"),
    path("monitors/<slug:slug>/", pages.monitor, name="monitor"),
    path("sessions/", pages.sessions, name="sessions"),
    path("sessions/<str:key>/", pages.session, name="session"),
    path("sessions/<str:key>/report/", report_pages.report, name="session-report"),
    path("compare/", report_pages.side_by_side, name="compare"),
    path("annotate/", annotation_pages.annotations, name="annotations"),
    path("annotate/<str:key>/", annotation_pages.annotate, name="annotate"),
    path("datasets/", dataset_pages.datasets, name="datasets"),
    path("datasets/<str:key>/", dataset_pages.dataset, name="dataset"),
    path("exports/", dataset_pages.exports, name="exports"),
    path("exports/<str:key>/file/", linked_file, name="linked-file"),
    path("images/<str:key>/", pages.image, name="image"),
    path("review/", review_pages.review, name="review"),
    path("events/", pages.events, name="events"),
    path("health/", pages.health, name="health-page"),
    path("storage/", storage_pages.storage, name="storage"),
    path("tokens/", people_pages.tokens, name="tokens"),
    path("members/", people_pages.members, name="members"),
    path("audit/", people_pages.audit, name="audit"),
    path("password/", people_pages.PasswordView.as_view(), name="password"),
    path("invite/", people_pages.invite, name="invite"),
    path("invite/<str:secret>/", people_pages.open_invite, name="invite-open"),
    path("login/", people_pages.LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
