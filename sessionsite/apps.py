"""The site itself as an application: its commands, checks and background loops."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Registers the deployment checks."""

    name = "sessionsite"
    label = "sessionsite"
    verbose_name = "Site"
    default_auto_field = "django.db.models.BigAutoField"
