"""The site itself as an application: its commands and checks."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Registers the deployment checks; completes a restore that was cut off after it had decided."""

    name = "sessionsite"
    label = "sessionsite"
    verbose_name = "Site"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from sessionsite import checks  # noqa: F401 - registers them
        from sessionsite.backup.swap import complete_at_start
        from sessionsite.common.errors import DomainError

        try:
            complete_at_start()
        except DomainError as error:
            raise SystemExit(str(error)) from error
