from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions_app"
    verbose_name = "Sessions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from sessions_app.topics import SessionTopic
        from sessionsite.common.live import register_topic

        register_topic(SessionTopic())
