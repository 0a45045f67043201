from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0011_find_the_severe")]

    operations = [
        migrations.AddIndex(
            model_name="session",
            index=models.Index(fields=["organisation", "kind", "-started_at", "-id"], name="sessions_by_kind"),
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(
                fields=["pinned_at"], condition=models.Q(pinned_at__isnull=False), name="sessions_by_pinning"
            ),
        ),
    ]
