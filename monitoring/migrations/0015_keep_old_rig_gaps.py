"""The gaps that rigs kept in their link are rows."""

from datetime import datetime

from django.db import migrations


def keep(apps, schema_editor) -> None:
    rigs, gaps = apps.get_model("monitoring", "Rig"), apps.get_model("monitoring", "RigGap")
    for rig in rigs.objects.iterator():
        kept = rig.link.pop("gaps", [])
        ended = [gap for gap in kept if gap["to"]]
        still = kept[-1:] if kept and not kept[-1]["to"] else []
        gaps.objects.bulk_create(
            [
                gaps(
                    rig=rig,
                    begun_at=datetime.fromisoformat(gap["from"]),
                    ended_at=gap["to"] and datetime.fromisoformat(gap["to"]),
                )
                for gap in ended + still
            ]
        )
        rig.save(update_fields=["link"])


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0014_add_rig_gaps")]

    operations = [migrations.RunPython(keep, migrations.RunPython.noop)]
