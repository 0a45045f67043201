from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions_app"
    verbose_name = "Sessions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from devices.services import before_removal
        from sessions_app.api.frames import take_from_socket
        from sessions_app.api.linnet import shapes as linnet
        from sessions_app.classifiers import register_classifier
        from sessions_app.classifiers.tone import ToneClassifier
        from sessions_app.presence import SessionWatch
        from sessions_app.reaper import TICK_S, Reaper
        from sessions_app.services.membership import leave_open_sessions
        from sessions_app.topics import SessionTopic
        from sessionsite.common.hub.presence import register_watch
        from sessionsite.common.live import register_command, register_topic
        from sessionsite.common.loops import register_loop

        linnet.register()
        register_classifier(ToneClassifier())
        register_command("frames", take_from_socket)
        before_removal.append(leave_open_sessions)
        register_topic(SessionTopic())
        register_watch(SessionTopic.prefix, SessionWatch())
        # Not leased as a loop: the death of the process that has it would hold up the others' passes.
        register_loop("reap sessions", TICK_S, Reaper().step, leased=False)
