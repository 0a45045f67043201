"""The wall of one organisation in one answer."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema

from monitoring.api.serializers import FleetQuery, FleetSerializer
from monitoring.state import fleet_essence, fleet_state
from sessionsite.accounts.api.organisations import organisation_to_show
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
        organisation = organisation_to_show(self.caller, FleetQuery.of(request).get("organisation"))
        state = fleet_state(organisation)
        return with_etag(request, state, revision=state["revision"], essence=fleet_essence(state))
