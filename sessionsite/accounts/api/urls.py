"""Addresses of accounts below /api/v1/."""

from rest_framework.routers import SimpleRouter

from sessionsite.accounts.api.views import AuditViewSet, OrganisationViewSet, TicketViewSet, TokenViewSet

router = SimpleRouter()
router.register("organisations", OrganisationViewSet, "organisation")
router.register("tokens", TokenViewSet, "token")
router.register("tickets", TicketViewSet, "ticket")
router.register("audit", AuditViewSet, "audit")
urlpatterns = router.urls
