"""monitor:<slug> and fleet:<organisation>: what operators follow live."""

from __future__ import annotations

from collections.abc import Iterable

from monitoring.messages import editor_json, image_json
from monitoring.models import Image, Monitor
from monitoring.services.editors import topic_revision
from monitoring.state import fleet_state, monitor_state
from sessionsite.accounts.models import Organisation
from sessionsite.common.access import Caller
from sessionsite.common.live import Snapshot, Topic


class MonitorTopic(Topic):
    """What the operator of one monitor sees now, then every change of it."""

    prefix = "monitor"

    def authorise(self, caller: Caller, name: str) -> bool:
        return Monitor.objects.visible_to(caller).present().filter(slug=name).exists()

    def snapshot(self, name: str) -> Snapshot | None:
        monitor = Monitor.objects.for_messages().present().filter(slug=name).first()
        return monitor and Snapshot(monitor.revision, None, monitor_state(monitor))

    def revisions(self, names: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        rows = Monitor.objects.present().filter(slug__in=list(names)).values_list("slug", "revision")
        return {slug: (revision, None) for slug, revision in rows}


class FleetTopic(Topic):
    """Every monitor of one organisation; moves with transitions, not with pictures."""

    prefix = "fleet"

    def authorise(self, caller: Caller, name: str) -> bool:
        return Organisation.objects.visible_to(caller).filter(slug=name).exists()

    def snapshot(self, name: str) -> Snapshot | None:
        organisation = Organisation.objects.filter(slug=name).first()
        return organisation and Snapshot(organisation.revision, None, fleet_state(organisation))

    def revisions(self, names: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        rows = Organisation.objects.filter(slug__in=list(names)).values_list("slug", "revision")
        return {slug: (revision, None) for slug, revision in rows}


class ImageTopic(Topic):
    """One picture with its boxes, and who has it open to edit it."""

    prefix = "image"

    def authorise(self, caller: Caller, name: str) -> bool:
        return Image.objects.visible_to(caller).filter(key=name).exists()

    def snapshot(self, name: str) -> Snapshot | None:
        image = Image.objects.for_messages().filter(key=name).first()
        return image and Snapshot(topic_revision(image), None, picture_state(image))

    def revisions(self, names: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        rows = Image.objects.filter(key__in=list(names))
        return {key: (one + other, None) for key, one, other in rows.values_list(
            "key", "revision", "editors_revision"
        )}  # fmt: skip


def picture_state(image: Image) -> dict:
    """`image` as REST gives it, with its editors; needs ImageQuerySet.for_messages."""
    return image_json(image) | {"editors": [editor_json(each) for each in image.editors.order_by("pk")]}
