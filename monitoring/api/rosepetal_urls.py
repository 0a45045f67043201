"""Addresses of the Rosepetal wire, with and without a trailing slash; the fixed words come before the ids."""

from django.urls import re_path

from monitoring.api.rosepetal import datasets, images, monitors
from monitoring.api.rosepetal.base import NoSuchAddress
from monitoring.api.rosepetal.shapes import CSV, DETECT, FILE

ID = r"(?P<slug>[^/]+)"
DATASET = r"(?P<dataset_id>[^/]+)"
ANYTHING = r"[\s\S]*"

urlpatterns = [
    re_path(r"^monitor/updateTags/?\Z", images.UpdateTags.as_view()),
    re_path(rf"^monitor/{ID}/start/?\Z", monitors.Start.as_view()),
    re_path(rf"^monitor/{ID}/stop/?\Z", monitors.Stop.as_view()),
    re_path(rf"^monitor/{ID}/image/?\Z", images.Upload.as_view()),
    re_path(rf"^monitor/{ID}/state/?\Z", monitors.State.as_view()),
    re_path(rf"^monitor/{ID}/sessions/?\Z", monitors.Sessions.as_view()),
    re_path(rf"^monitor/{ID}/controller/?\Z", monitors.Controller.as_view()),
    re_path(rf"^image/delete/image/(?P<uri>{ANYTHING})\Z", images.Delete.as_view()),
    re_path(rf"^image/detect/image/(?P<uri>{ANYTHING})\Z", images.Detect.as_view()),
    re_path(rf"^dataset/{DATASET}/csv/?\Z", datasets.Csv.as_view()),
    re_path(rf"^dataset/{DATASET}/model-config/(?P<name>[^/]+)\.csv\Z", datasets.CsvFile.as_view()),
    re_path(rf"^dataset/{DATASET}/downloadZip/?\Z", datasets.DownloadZip.as_view()),
    re_path(rf"^monitor(/{ANYTHING})?\Z", NoSuchAddress.as_view()),
    re_path(rf"^image/detect(/{ANYTHING})?\Z", NoSuchAddress.as_view(shape=DETECT)),
    re_path(rf"^image(/{ANYTHING})?\Z", NoSuchAddress.as_view(shape=FILE)),
    re_path(rf"^dataset(/{ANYTHING})?\Z", NoSuchAddress.as_view(shape=CSV)),
]
