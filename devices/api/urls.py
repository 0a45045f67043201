"""Addresses of devices below /api/v1/."""

from rest_framework.routers import SimpleRouter

from devices.api.views import DeviceViewSet

router = SimpleRouter()
router.register("devices", DeviceViewSet, "device")
urlpatterns = router.urls
