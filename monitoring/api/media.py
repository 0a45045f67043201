"""Files of pictures for those who may see them; behind nginx the proxy sends the bytes."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from urllib.parse import quote

from django.conf import settings
from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.utils.http import content_disposition_header

from monitoring.models import Image
from sessionsite.common.errors import Missing
from sessionsite.common.files import check_path, media_file, safe_name

CONTENT_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "GIF": "image/gif",
}
YEAR_S = 365 * 24 * 3600


class FileMissing(Missing):
    """The row is there, the file is not."""

    code = "file_missing"


def original(request, image: Image) -> HttpResponseBase:
    """The bytes as they came in."""
    content_type = CONTENT_TYPES.get(image.format, "application/octet-stream")
    name = image.name or PurePosixPath(image.file_path).name
    return _answer(request, image.file_path, content_type, name, etag=f'"{image.sha256}"')


def thumbnail(request, image: Image) -> HttpResponseBase:
    name = f"{PurePosixPath(image.name or image.key).stem}.thumb.webp"
    return _answer(request, image.thumbnail_path, "image/webp", name, etag=f'"{image.sha256}-300"')


def _answer(request, path: str, content_type: str, name: str, *, etag: str) -> HttpResponseBase:
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    if etag in known or "*" in known:
        response: HttpResponseBase = HttpResponse(status=304)
    elif settings.MEDIA_ACCEL_PREFIX:
        response = HttpResponse(content_type=content_type)
        response["X-Accel-Redirect"] = f"{settings.MEDIA_ACCEL_PREFIX.rstrip('/')}/{quote(check_path(path))}"
    else:
        try:
            file = media_file(path).open("rb")
        except FileNotFoundError as error:
            raise FileMissing("The file of this picture is missing.", file=path) from error
        response = FileResponse(file, content_type=content_type)
    # A file never changes under its key; it is for this caller only.
    response["Cache-Control"] = f"private, max-age={YEAR_S}, immutable"
    response["ETag"] = etag
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = content_disposition_header(False, _with_extension(name, content_type))
    response["Vary"] = "Authorization, Cookie"
    return response


def _with_extension(name: str, content_type: str) -> str:
    """A name that a file manager opens with the right program, whatever the camera called it."""
    name = safe_name(name, default="picture")
    known = mimetypes.guess_all_extensions(content_type)
    if known and PurePosixPath(name).suffix.lower() not in known:
        return f"{name}{known[0]}"
    return name
