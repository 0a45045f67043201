from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from monitoring.api.rosepetal.shapes import register_dialects
        from monitoring.jobs.messages import JobTopic
        from monitoring.jobs.runner import LOOK_S, keep_running, look_for_jobs
        from monitoring.jobs.verbs import forget_old_jobs
        from monitoring.nina.keeper import keep_listening
        from monitoring.nina.topic import RigTopic
        from monitoring.services import cleanup, editors, media_check, retention, watch
        from monitoring.topics import FleetTopic, ImageTopic, MonitorTopic
        from sessionsite.common.live import register_topic
        from sessionsite.common.loops import register_loop, register_service

        register_topic(MonitorTopic())
        register_topic(FleetTopic())
        register_topic(ImageTopic())
        register_topic(RigTopic())
        register_topic(JobTopic())
        register_dialects()
        register_service("rigs", keep_listening)
        register_service("jobs", keep_running)
        register_loop("forget old jobs", 300.0, forget_old_jobs)
        register_loop("look for jobs", LOOK_S, look_for_jobs, leased=False)
        register_loop("watch presence", 1.0, watch.watch_presence)
        register_loop("tick flow", 1.0, watch.tick_flow)
        register_loop("watch disk", 10.0, watch.watch_disk)
        register_loop("forget old flow", 60.0, watch.forget_old_flow)
        register_loop("forget editors", 60.0, editors.forget_gone_editors)
        register_loop("close stale sessions", 60.0, cleanup.close_stale_sessions)
        register_loop("purge pictures", 300.0, retention.purge_in_background)
        register_loop("remove left-overs", 3600.0, media_check.remove_left_over_uploads, leased=False)
