"""Settings that make sense one by one and not together: said at the start, or by `check --deploy`."""

from __future__ import annotations

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

TAG = "sessionsite"
BASE64_MARGIN_BYTES = 64 * 1024  # the rest of the JSON around a picture
OTHER_CONNECTIONS = 6  # live side, picture writer, loops


@register(TAG)
def check_body_limit(app_configs, **kwargs) -> list[CheckMessage]:
    """A picture at its limit must fit into a body as base64, which is a third longer."""
    least = settings.MAX_IMAGE_BYTES * 4 // 3 + BASE64_MARGIN_BYTES
    if least <= settings.MAX_BODY_BYTES:
        return []
    text = f"MAX_BODY_BYTES={settings.MAX_BODY_BYTES} cannot hold a picture of MAX_IMAGE_BYTES as base64."
    return [Error(text, hint=f"Set MAX_BODY_BYTES to {least} or more.", id="sessionsite.E001")]


@register(TAG)
def check_pool_size(app_configs, **kwargs) -> list[CheckMessage]:
    """Request threads that take the whole pool leave the live side waiting."""
    least = settings.HANDLER_THREADS + OTHER_CONNECTIONS
    if not settings.DATABASE_URL or least <= settings.DATABASE_POOL_SIZE:
        return []
    text = f"DATABASE_POOL_SIZE={settings.DATABASE_POOL_SIZE} is too small for HANDLER_THREADS."
    return [Error(text, hint=f"Set DATABASE_POOL_SIZE to {least} or more.", id="sessionsite.E002")]


@register(TAG, Tags.security, deploy=True)
def check_layer_of_several(app_configs, **kwargs) -> list[CheckMessage]:
    """Several processes without Redis see each other's changes a second late."""
    if settings.REDIS_URL or (settings.BACKGROUND_LOOPS and not settings.DATABASE_URL):
        return []
    text = "Several processes share one database and no Redis: changes cross over up to a second late."
    return [Warning(text, hint="Set REDIS_URL.", id="sessionsite.W001")]


@register(TAG, Tags.security, deploy=True)
def check_proxy(app_configs, **kwargs) -> list[CheckMessage]:
    """nginx sends the pictures, so it also knows the visitor's address and scheme."""
    if not settings.MEDIA_ACCEL_PREFIX or settings.TRUST_PROXY:
        return []
    text = "MEDIA_ACCEL_PREFIX says that nginx is in front, and TRUST_PROXY is off."
    return [Warning(text, hint="Set TRUST_PROXY=1.", id="sessionsite.W002")]
