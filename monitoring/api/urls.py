"""Addresses of monitors, pictures and datasets below /api/v1/."""

from rest_framework.routers import SimpleRouter

from monitoring.api.views.datasets import DatasetViewSet
from monitoring.api.views.fleet import FleetViewSet
from monitoring.api.views.images import ImageViewSet, TagViewSet
from monitoring.api.views.jobs import JobViewSet
from monitoring.api.views.monitors import MonitorViewSet
from monitoring.api.views.review import ReviewViewSet
from monitoring.api.views.sessions import SessionPicturesViewSet
from monitoring.api.views.storage import StorageViewSet

router = SimpleRouter()
router.register("monitors", MonitorViewSet, "monitor")
router.register("fleet", FleetViewSet, "fleet")
router.register("images", ImageViewSet, "image")
router.register("review", ReviewViewSet, "review")
router.register("tags", TagViewSet, "tag")
router.register("datasets", DatasetViewSet, "dataset")
router.register("jobs", JobViewSet, "job")
router.register("sessions", SessionPicturesViewSet, "session-pictures")
router.register("storage", StorageViewSet, "storage")
urlpatterns = router.urls
