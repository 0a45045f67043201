"""Without a monitor an idempotency key is the session's: two requests at once kept its picture twice."""

from django.db import migrations, models
from django.db.models import Count, Min, Q


def keep_first_keys(apps, schema_editor) -> None:
    """Pictures that were kept twice stay, and the first one keeps the key."""
    images = apps.get_model("monitoring", "Image").objects
    keyed = images.filter(monitor__isnull=True, session__isnull=False, idempotency_key__isnull=False)
    by_key = keyed.order_by().values("session", "idempotency_key")
    for twice in by_key.annotate(first=Min("pk"), times=Count("pk")).filter(times__gt=1):
        same = keyed.filter(session=twice["session"], idempotency_key=twice["idempotency_key"])
        same.exclude(pk=twice["first"]).update(idempotency_key=None)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_members_and_logins"),
        ("monitoring", "0015_keep_old_rig_gaps"),
        ("sessions_app", "0011_find_the_severe"),
    ]

    operations = [
        migrations.RunPython(keep_first_keys, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="image",
            constraint=models.UniqueConstraint(
                condition=Q(("idempotency_key__isnull", False), ("monitor__isnull", True)),
                fields=("session", "idempotency_key"),
                name="one_image_per_key_of_a_session",
            ),
        ),
    ]
