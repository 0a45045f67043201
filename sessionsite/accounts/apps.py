from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "sessionsite.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from sessionsite.accounts.logins import forget_old_tries
        from sessionsite.common.loops import register_loop

        register_loop("forget login tries", 600.0, forget_old_tries)
