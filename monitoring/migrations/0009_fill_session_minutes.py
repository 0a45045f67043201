"""Sessions that were there before have their minutes from the pictures that are still there."""

from django.db import migrations
from django.db.models import Count
from django.db.models.functions import TruncMinute

BATCH = 1000


def fill(apps, schema_editor):
    Image = apps.get_model("monitoring", "Image")
    SessionMinute = apps.get_model("sessions_app", "SessionMinute")
    sessions = Image.objects.exclude(session=None).order_by().values_list("session_id", flat=True).distinct()
    for session_id in sessions:
        minutes = Image.objects.filter(session_id=session_id).order_by()
        counted = minutes.annotate(minute=TruncMinute("received_at")).values_list("minute")
        rows = [
            SessionMinute(session_id=session_id, minute=int(minute.timestamp()) // 60, count=count)
            for minute, count in counted.annotate(count=Count("pk"))
        ]
        SessionMinute.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0008_index_images_by_label"),
        ("sessions_app", "0004_count_minutes_mark_milestones"),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
