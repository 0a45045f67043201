"""Addresses of the Linnet wire. Its stream and its audio socket have lanes of their own."""

from django.urls import re_path

from sessions_app.api.linnet import views

KEY = r"(?P<key>[^/]+)"

urlpatterns = [
    re_path(r"^session/start/?\Z", views.Start.as_view()),
    re_path(rf"^session/{KEY}/end/?\Z", views.End.as_view()),
    re_path(rf"^session/{KEY}/history/?\Z", views.History.as_view()),
    re_path(rf"^session/{KEY}/export/?\Z", views.Export.as_view()),
    re_path(rf"^session/{KEY}/?\Z", views.One.as_view()),
    re_path(r"^session(/[\s\S]*)?\Z", views.NoSuchAddress.as_view()),
]
