"""Datasets on their way to training: the AutoML CSV and the zip of chosen pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from django.http import StreamingHttpResponse

from monitoring.api.rosepetal import automl, zips
from monitoring.api.rosepetal.base import RosepetalView
from monitoring.api.rosepetal.reading import BadBody, json_object
from monitoring.api.rosepetal.shapes import CSV, ZIP, Answer
from monitoring.models import Image
from sessionsite.common.errors import Missing

ZIP_MAX = 20_000  # pictures in one zip
KEYS_PER_QUERY = 500


class Csv(RosepetalView):
    """GET /dataset/<id>/csv?test=&validation=&tagmap=: where the CSV can be fetched."""

    shape = CSV
    http_method_names = ("get",)

    def get(self, request, dataset_id: str) -> Answer:
        dataset = self.dataset(dataset_id)
        automl.Plan.from_query(request.query_params)
        asked = {
            name: request.query_params[name]
            for name in ("test", "validation", "tagmap")
            if name in request.query_params
        }
        id_in_path = quote(dataset.key, safe="")
        address = request.build_absolute_uri(f"/dataset/{id_in_path}/model-config/{id_in_path}.csv")
        training = {"name": dataset.name, "dataset": f"{address}?{urlencode(asked)}" if asked else address}
        return Answer({"status": "success", "result": {"error": False, "training": training}})


class CsvFile(RosepetalView):
    """GET /dataset/<id>/model-config/<id>.csv: the CSV itself, made while it is sent."""

    shape = CSV
    http_method_names = ("get",)
    rate_scope = "exports"

    def get(self, request, dataset_id: str, name: str):
        if name != dataset_id:
            raise Missing("no such file")
        dataset = self.dataset(dataset_id)
        plan = automl.Plan.from_query(request.query_params)
        root = request.build_absolute_uri("/api/v1/images/")
        rows = automl.lines(dataset, plan, lambda image: f"{root}{image.key}/file/")
        return StreamingHttpResponse(
            rows, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": "attachment"}
        )


class DownloadZip(RosepetalView):
    """POST /dataset/<id>/downloadZip {"images": [ids]}: a folder per label and `Unclassified/`."""

    shape = ZIP
    http_method_names = ("post",)
    rate_scope = "exports"

    def post(self, request, dataset_id: str):
        keys = json_object(self.body()).get("images")
        if not isinstance(keys, list) or not all(isinstance(key, str) and key.isprintable() for key in keys):
            raise BadBody("images must be a list of image ids")
        if len(keys) > ZIP_MAX:
            raise BadBody(f"at most {ZIP_MAX} images go into one zip")
        dataset = self.dataset(dataset_id)
        keys = list(dict.fromkeys(keys))
        found = _ids_of(dataset, keys)
        if keys and not found:
            raise Missing("none of these images")
        name = f"dataset_{datetime.now(UTC):%Y-%m-%d}.zip"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Images-Missing": str(len(keys) - len(found)),
        }
        return StreamingHttpResponse(zips.zip_of(found), content_type="application/zip", headers=headers)


def _ids_of(dataset, keys: list[str]) -> list[int]:
    """Primary keys of those pictures of the dataset that are not deleted, in the order asked for."""
    ids: list[int] = []
    for start in range(0, len(keys), KEYS_PER_QUERY):
        part = keys[start : start + KEYS_PER_QUERY]
        rows = Image.objects.kept().filter(dataset=dataset, key__in=part).values_list("key", "pk")
        by_key = dict(rows)
        ids += [by_key[key] for key in part if key in by_key]
    return ids
