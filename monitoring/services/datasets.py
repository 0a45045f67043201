"""Verbs of datasets: made, renamed, removed while they are empty."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from monitoring.models import Dataset, Image
from monitoring.services.monitors import touch_monitor
from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import audit, touch_organisation
from sessionsite.common.errors import Conflict, DomainError

CHANGEABLE = ("name", "type", "valid_percent", "test_percent")
KEY_MAX, NAME_MAX, TYPE_MAX = 100, 200, 40


class BadDataset(DomainError):
    code = "bad_dataset"


class DatasetTaken(Conflict):
    code = "dataset_taken"


class DatasetInUse(Conflict):
    """Pictures belong to it."""

    code = "dataset_in_use"


def _checked(fields: dict) -> dict:
    if "name" in fields and not 1 <= len(fields["name"].strip()) <= NAME_MAX:
        raise BadDataset(f"A dataset's name has 1 to {NAME_MAX} characters.", field="name")
    if len(fields.get("type", "")) > TYPE_MAX:
        raise BadDataset(f"A dataset's type has at most {TYPE_MAX} characters.", field="type")
    return fields


def _check_shares(dataset: Dataset, changes: dict) -> None:
    """Both shares or none, and not over 100 percent together. Raises BadDataset."""
    valid, test = (changes.get(name, getattr(dataset, name)) for name in ("valid_percent", "test_percent"))
    if (valid is None) != (test is None):
        missing = "test_percent" if test is None else "valid_percent"
        raise BadDataset("Give both shares, or none.", field=missing)
    if valid is not None and not (0 <= valid <= 100 and 0 <= test <= 100 and valid + test <= 100):
        raise BadDataset("The shares are percent, not over 100 together.", field="test_percent")


@transaction.atomic
def create_dataset(
    organisation: Organisation, *, name: str, by: str, type: str = "", key: str | None = None
) -> Dataset:
    """A new, empty dataset. key: an id from elsewhere, unique in the organisation; None makes one.

    Raises BadDataset, DatasetTaken.
    """
    fields = _checked({"name": name, "type": type})
    if key is not None:
        if not 1 <= len(key) <= KEY_MAX or "/" in key:
            raise BadDataset(f"A dataset's key has 1 to {KEY_MAX} characters and no slash.", field="key")
        fields["key"] = key
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(organisation=organisation, **fields)
    except IntegrityError as error:
        raise DatasetTaken(f"There is a dataset {key} already.", field="key") from error
    audit(organisation, "created", dataset, by=by, after=fields)
    return dataset


@transaction.atomic
def change_dataset(dataset: Dataset, *, by: str, **changes) -> Dataset:
    """The named fields (name, type, valid_percent, test_percent) have new values, the audit trail both.

    Raises BadDataset. With new shares the split of pictures that nobody put into one may be another.
    """
    if unknown := sorted(set(changes) - set(CHANGEABLE)):
        raise BadDataset(f"A dataset has no field {unknown[0]} to change.", field=unknown[0])
    _check_shares(dataset, changes)
    before = {name: getattr(dataset, name) for name in changes}
    changes = {name: value for name, value in _checked(changes).items() if value != before[name]}
    if changes:
        Dataset.objects.filter(pk=dataset.pk).update(**changes)
        dataset.refresh_from_db()
        before = {name: before[name] for name in changes}
        audit(dataset.organisation, "changed", dataset, by=by, before=before, after=changes)
    return dataset


@transaction.atomic
def remove_dataset(dataset: Dataset, *, by: str) -> None:
    """An empty dataset is gone. Raises DatasetInUse while pictures, deleted ones included, belong to it."""
    if Image.objects.filter(dataset=dataset).exists():
        raise DatasetInUse("Pictures belong to this dataset.", dataset=dataset.key)
    audit(
        dataset.organisation, "removed", dataset, by=by, before={"name": dataset.name, "type": dataset.type}
    )
    shown_on = list(dataset.monitors.order_by("pk"))
    if shown_on:
        touch_organisation(dataset.organisation_id)
    for monitor in shown_on:
        touch_monitor(monitor, urgent=True, dataset=None)
    dataset.delete()
