"""The wall of one organisation in one answer."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema

from monitoring.api.serializers import FleetQuery, FleetSerializer
from monitoring.state import fleet_essence, fleet_state
from sessionsite.accounts.api.organisations import organisation_for
from sessionsite.accounts.models import Organisation
from sessionsite.common.api.conditional import with_etag
from sessionsite.common.api.views import BaseViewSet


@extend_schema(tags=["monitors"])
class FleetViewSet(BaseViewSet):
    serializer_class = FleetSerializer
    queryset = Organisation.objects.all()
    pagination_class = None
    required_rights = {"list": "read"}

    @extend_schema(
        operation_id="fleet_retrieve",
        summary="Everything the live wall shows: the same object as on the topic `fleet:<organisation>`",
        parameters=[FleetQuery],
        responses=FleetSerializer,
    )
    def list(self, request):
        state = fleet_state(self._organisation(request))
        return with_etag(request, state, revision=state["revision"], essence=fleet_essence(state))

    def _organisation(self, request) -> Organisation:
        slug = FleetQuery.of(request).get("organisation")
        first = None if slug else Organisation.objects.visible_to(self.caller).order_by("pk").first()
        return first or organisation_for(self.caller, slug, "read")
