from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from monitoring.api.rosepetal.shapes import register_dialects
        from monitoring.nina.keeper import keep_listening
        from monitoring.nina.topic import RigTopic
        from monitoring.services import cleanup, media_check, watch
        from monitoring.topics import FleetTopic, MonitorTopic
        from sessionsite.common.live import register_topic
        from sessionsite.common.loops import register_loop, register_service

        register_topic(MonitorTopic())
        register_topic(FleetTopic())
        register_topic(RigTopic())
        register_dialects()
        register_service("rigs", keep_listening)
        register_loop("watch presence", 1.0, watch.watch_presence)
        register_loop("tick flow", 1.0, watch.tick_flow)
        register_loop("watch disk", 10.0, watch.watch_disk)
        register_loop("forget old flow", 60.0, watch.forget_old_flow)
        register_loop("close stale sessions", 60.0, cleanup.close_stale_sessions)
        register_loop("purge pictures", 300.0, cleanup.purge_in_background)
        register_loop("remove left-overs", 3600.0, media_check.remove_left_over_uploads, leased=False)
