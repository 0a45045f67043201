"""The site itself as an application: its commands and checks."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Registers the deployment checks."""

    name = "sessionsite"
    label = "sessionsite"
    verbose_name = "Site"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from sessionsite import checks  # noqa: F401 - registers them
