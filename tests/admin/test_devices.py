"""Devices and datasets in the admin."""

import pytest
from django.urls import reverse

from devices.models import Device
from devices.services import device_of, register_device
from monitoring.models import Dataset
from sessionsite.accounts.callers import caller_of_token
from sessionsite.accounts.models import AuditEntry

from .conftest import detail_page, list_page, notices

MODEL = "devices_device"


@pytest.fixture
def device(organisation):
    return register_device(organisation, name="Phone 1", type="phone", by="test")


def test_a_device_is_registered_changed_and_removed_by_the_verbs(organisation, as_administrator):
    data = {
        "organisation": organisation.pk,
        "name": "Cam",
        "type": "camera",
        "slot": "top",
        "capabilities": '["rgb"]',
    }
    assert as_administrator.post(reverse(f"admin:{MODEL}_add"), data).status_code == 302
    device = Device.objects.get()
    address = reverse(f"admin:{MODEL}_change", args=[device.pk])
    as_administrator.post(address, {**data, "slot": "left"})
    device.refresh_from_db()
    assert (device.slot, device.capabilities) == ("left", ["rgb"])
    as_administrator.post(reverse(f"admin:{MODEL}_delete", args=[device.pk]), {"post": "yes"})
    assert not Device.objects.exists()
    verbs = AuditEntry.objects.filter(object_type="device").order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["registered", "changed", "removed"]


def test_capabilities_that_are_no_words_are_refused(organisation, as_administrator):
    data = {"organisation": organisation.pk, "name": "Cam", "type": "camera", "capabilities": '{"a": 1}'}
    answer = as_administrator.post(reverse(f"admin:{MODEL}_add"), data)
    assert "Capabilities are a list of words." in answer.content.decode()
    assert not Device.objects.exists()


def test_a_token_of_a_device_is_shown_once(device, as_administrator, run_action):
    answer = run_action(as_administrator, MODEL, "issue_token", [device])
    assert device_of(caller_of_token(answer.context_data["secret"])) == device
    assert "no-store" in answer["Cache-Control"]
    prefix = answer.context_data["token"].prefix
    assert prefix in detail_page(as_administrator, MODEL, device).content.decode()


def test_a_token_is_for_one_device(device, organisation, as_administrator, run_action):
    other = register_device(organisation, name="Phone 2", type="phone", by="test")
    answer = run_action(as_administrator, MODEL, "issue_token", [device, other], confirmed=True)
    assert notices(answer) == ["Choose one device."]


def test_operators_look_and_strangers_do_not(device, as_operator, as_stranger, run_action):
    assert device.key in list_page(as_operator, MODEL)
    assert as_operator.get(reverse(f"admin:{MODEL}_add")).status_code == 403
    run_action(as_operator, MODEL, "issue_token", [device])
    assert not device.credentials.exists()
    assert device.key not in list_page(as_stranger, MODEL)


def test_a_dataset_is_made_and_renamed_by_the_verbs(organisation, image, as_operator):
    data = {"organisation": organisation.pk, "name": "Dents", "type": "MULTICLASS"}
    assert as_operator.post(reverse("admin:monitoring_dataset_add"), data).status_code == 302
    dataset = Dataset.objects.get()
    type(image).objects.update(dataset=dataset, label="OK")
    assert "OK: 1" in detail_page(as_operator, "monitoring_dataset", dataset).content.decode()
    as_operator.post(
        reverse("admin:monitoring_dataset_change", args=[dataset.pk]), {"name": "Scratches", "type": ""}
    )
    dataset.refresh_from_db()
    assert (dataset.name, dataset.type) == ("Scratches", "")
    assert list_page(as_operator, "monitoring_dataset", f"?q={dataset.key[:8]}").count(dataset.key) >= 1
