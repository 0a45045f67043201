"""Addresses of sessions below /api/v1/."""

from rest_framework.routers import SimpleRouter

from sessions_app.api.views import EventViewSet, SessionViewSet

router = SimpleRouter()
router.register("sessions", SessionViewSet, "session")
router.register("events", EventViewSet, "event")
urlpatterns = router.urls
