"""The tables of the Django REST peers. Importing it needs the settings of drf.py."""

from __future__ import annotations

from django.db import connection, models

SESSIONS = 60  # more than a page of fifty


class Session(models.Model):
    state = models.CharField(max_length=16, default="active")
    total = models.BigIntegerField(default=0)
    last_seq = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    notes = models.TextField(blank=True)

    class Meta:
        app_label = "peer"
        ordering = ["-started_at", "-id"]

    def __str__(self):
        return self.state


class Picture(models.Model):
    session = models.ForeignKey(Session, models.CASCADE)
    image = models.ImageField(upload_to="pictures")
    thumbnail = models.ImageField(upload_to="thumbnails")
    sha256 = models.CharField(max_length=64)
    width = models.IntegerField()
    height = models.IntegerField()
    name = models.CharField(max_length=255)
    label = models.CharField(max_length=100)
    taken_at = models.BigIntegerField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "peer"

    def __str__(self):
        return self.name


class Event(models.Model):
    session = models.ForeignKey(Session, models.CASCADE)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    at = models.DateTimeField(auto_now_add=True)
    detail = models.JSONField(default=dict)

    class Meta:
        app_label = "peer"
        constraints = [models.UniqueConstraint(fields=["session", "seq"], name="one_per_seq")]

    def __str__(self):
        return f"{self.seq} {self.kind}"


def create_tables(add_token) -> None:
    """The tables are there with some sessions and what `add_token` adds; nothing happens the second time."""
    if Session._meta.db_table in connection.introspection.table_names():
        return
    with connection.schema_editor() as editor:
        for model in (Session, Picture, Event):
            editor.create_model(model)
    Session.objects.bulk_create(Session(notes="x" * 40) for _ in range(SESSIONS))
    add_token()
    connection.close()
