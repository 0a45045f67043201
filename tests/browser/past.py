"""A session in the past: real pictures of a running server, moved to the moments that a test needs."""

from __future__ import annotations

from tests.browser.line import Cameras
from tests.site.processes import Server, manage

START = "2026-03-02T06:00:00+00:00"
CODE = """
from collections import Counter
from datetime import datetime, timedelta
from monitoring.models import Image
from sessions_app.models import Session, SessionEvent, SessionMinute

session = Session.objects.get(key={key!r})
start = datetime.fromisoformat({start!r})
offsets = {offsets!r}
images = list(Image.objects.filter(session=session).order_by("pk"))
for image, offset_s in zip(images, offsets, strict=True):
    at = start + timedelta(seconds=offset_s)
    Image.objects.filter(pk=image.pk).update(received_at=at, taken_at=at)
SessionMinute.objects.filter(session=session).delete()
minutes = Counter(int(start.timestamp() + offset_s) // 60 for offset_s in offsets)
SessionMinute.objects.bulk_create(
    SessionMinute(session=session, minute=minute, count=count) for minute, count in minutes.items()
)
end = start + timedelta(seconds={lasted_s!r})
SessionEvent.objects.filter(session=session, kind="started").update(at=start)
SessionEvent.objects.filter(session=session, kind="stopped").update(at=end)
session.started_at = start
session.stopped_at = end
session.save(update_fields=["started_at", "stopped_at"])
"""


def past_session(
    server: Server,
    cameras: Cameras,
    slug: str,
    offsets_s: list[float],
    *,
    lasted_s: float = 3600,
    interval_s: float = 60,
    boxes: bool = False,
) -> str:
    """The key of an ended session of `slug` whose pictures came so many seconds after START."""
    cameras.monitor(slug, slug.replace("-", " ").capitalize(), interval_s=interval_s)
    for number in range(len(offsets_s)):
        cameras.send(slug, number % 20, boxes=boxes)
    key = cameras.state(slug)["session"]["key"]
    cameras.stop(slug)
    move_to_the_past(server, key, offsets_s, lasted_s)
    return key


def move_to_the_past(server: Server, key: str, offsets_s: list[float], lasted_s: float) -> None:
    code = CODE.format(key=key, start=START, offsets=list(offsets_s), lasted_s=lasted_s)
    manage("shell", "-c", code, data_dir=server.data_dir, **server.more)
