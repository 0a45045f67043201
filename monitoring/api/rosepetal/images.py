"""Pictures and their boxes: upload, replace the boxes, delete by address."""

from __future__ import annotations

from datetime import timedelta

from monitoring import services
from monitoring.api.rosepetal.base import RosepetalView, one_of
from monitoring.api.rosepetal.reading import BadDataset, boxes_of, dataset_key, json_object, new_image
from monitoring.api.rosepetal.shapes import DETECT, ENVELOPE, FILE, TAGS, Answer, image_answer
from monitoring.models import Dataset, Image
from sessionsite.common.clock import BadTime, from_epoch_ms
from sessionsite.common.errors import DomainError, Missing
from sessionsite.common.ids import is_key

ADDRESS_MAX = 400


class Upload(RosepetalView):
    """POST /monitor/<id>/image"""

    http_method_names = ("post",)
    rate_scope = "ingest"

    def post(self, request, slug: str) -> Answer:
        monitor = self.monitor(slug, "ingest")
        key = request.headers.get("Idempotency-Key")
        new = new_image(self.body(), monitor, author=self.caller.name, idempotency_key=key)
        return image_answer(services.add_image(new))


class UpdateTags(RosepetalView):
    """POST /monitor/updateTags: the picture has exactly these boxes."""

    shape = TAGS
    http_method_names = ("post",)
    rate_scope = "ingest"  # a camera says what it saw with every picture

    def post(self, request) -> Answer:
        sent = json_object(self.body())
        key = dataset_key(sent.get("dataset"))
        datasets = Dataset.objects.visible_to(self.caller).filter(key=key) if key else Dataset.objects.none()
        owners = {dataset.organisation_id: dataset.pk for dataset in datasets}
        if not owners:
            raise BadDataset
        image = find_image(sent.get("imageID"), self.caller, "annotate")
        if image.organisation_id not in owners or image.dataset_id not in (
            None,
            owners[image.organisation_id],
        ):
            raise BadDataset
        source = "device" if self.caller.token_id else "operator"
        services.replace_tags(image, tags=boxes_of(sent.get("tags")), by=self.caller.name, source=source)
        return Answer({"error": False, "status": "success"})


class Delete(RosepetalView):
    """GET /image/delete/image/<uri>: the picture is out of sight and can be restored."""

    shape = FILE
    http_method_names = ("get",)
    token_only = ("GET",)

    def get(self, request, uri: str) -> Answer:
        services.delete_image(image_at(uri, self.caller, "annotate"), by=self.caller.name)
        return Answer({"error": False, "status": "success"})


class Detect(RosepetalView):
    """GET /image/detect/image/<uri>: this server runs no model."""

    shape = DETECT
    http_method_names = ("get",)

    def get(self, request, uri: str) -> Answer:
        return Answer(ENVELOPE.body("Error: not available"))


def find_image(key: object, caller, right: str) -> Image:
    """The picture of that key that is not deleted. Raises ImageNotFound, NotAllowed."""
    if not is_key(key, "im"):
        raise ImageNotFound
    try:
        return one_of(Image.objects.kept().filter(key=key), caller, right)
    except Missing as error:
        raise ImageNotFound from error


class ImageNotFound(DomainError):
    code, status = "not_found", 404

    def __init__(self) -> None:
        super().__init__("Image not found or access denied")


def image_at(uri: str, caller, right: str) -> Image:
    """The picture at a storage address, slashes written as `/` or `--`. Raises Missing, NotAllowed.

    Taken: our own path below the media folder, `upload/<monitor>/<date>.png` with the date in epoch
    milliseconds, and the bare key. A date that fits two pictures names neither.
    """
    if len(uri) > ADDRESS_MAX or not uri.isprintable():
        raise Missing("no such picture")
    flat = uri.strip("/").replace("/", "--")
    if flat.startswith("upload--"):
        return _uploaded_at(flat.removeprefix("upload--"), caller, right)
    folder, _, name = flat.rpartition("--")
    key = name.partition(".")[0]
    if not is_key(key, "im"):
        raise Missing("no such picture")
    image = one_of(Image.objects.filter(key=key), caller, right)
    paths = {path.replace("/", "--") for path in (image.file_path, image.thumbnail_path)}
    if folder and flat not in paths:
        raise Missing("no such picture")
    return image


def _uploaded_at(rest: str, caller, right: str) -> Image:
    slug, _, name = rest.rpartition("--")
    date = name.partition(".")[0]
    try:
        taken_at = from_epoch_ms(int(date) if date.isascii() and date.isdigit() and len(date) < 16 else None)
    except BadTime as error:
        raise Missing("no such picture") from error
    # By way of the sessions: (session, taken_at) is indexed, the monitor's pictures are not by their date.
    images = Image.objects.filter(
        session__monitor__slug=slug, taken_at__gte=taken_at, taken_at__lt=taken_at + timedelta(milliseconds=1)
    )
    if images.visible_to(caller).kept().count() > 1:
        raise Missing("the date fits several pictures")
    kept = images.kept()
    return one_of(kept if kept.visible_to(caller, right).exists() else images, caller, right)
