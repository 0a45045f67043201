from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from monitoring.topics import FleetTopic, MonitorTopic
        from sessionsite.common.live import register_topic

        register_topic(MonitorTopic())
        register_topic(FleetTopic())
