"""A monitor that no controller ever answered for shows no request that waits for one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0016_count_a_key_of_a_session_once")]

    operations = [
        migrations.AddField(
            model_name="monitor",
            name="controller_acked_at",
            field=models.DateTimeField(
                blank=True,
                null=True,
                help_text="When a controller last did what it was asked; empty: none has yet.",
            ),
        ),
    ]
