"""Datasets over REST: made, counted, renamed, removed while they are empty."""

import pytest

from monitoring.models import Image
from monitoring.services import NewImage, add_image, add_tag, create_dataset, delete_image
from tests.pictures import picture

DATASETS = "/api/v1/datasets/"


def test_a_dataset_is_made_with_a_key_of_its_own_or_from_elsewhere(as_operator, organisation, refused):
    own = as_operator.post(DATASETS, {"name": "Plates"})
    assert own.status_code == 201 and own.json()["key"].startswith("ds_")
    given = as_operator.post(DATASETS, {"name": "Bolts", "key": "Fire store:7", "type": "MULTICLASS"})
    assert given.json()["key"] == "Fire store:7"
    assert as_operator.get(f"{DATASETS}Fire store:7/").json()["type"] == "MULTICLASS"
    refused(as_operator.post(DATASETS, {"name": "x", "key": "Fire store:7"}), 409, "dataset_taken")
    assert [row["name"] for row in as_operator.get(DATASETS).json()["results"]] == ["Bolts", "Plates"]


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": 5}, {"name": "x", "key": "a/b"}, {"name": "x", "key": ""}]
)
def test_a_dataset_of_another_shape_is_refused(as_operator, organisation, body, refused):
    refused(as_operator.post(DATASETS, body), 400, "invalid")


def test_it_counts_the_pictures_and_boxes_that_are_not_deleted(as_operator, monitor, session):
    def add(number: int, label: str) -> Image:
        new = NewImage(data=picture(number), monitor=monitor, label=label, dataset_key="ds-1")
        return Image.objects.get(key=add_image(new).key)

    kept, gone, plain = add(1, "OK"), add(2, "DEFECT"), add(3, "")
    for image, label in ((kept, "dent"), (gone, "dent"), (plain, "hole")):
        add_tag(image, label=label, x=0.1, y=0.1, w=0.2, h=0.2, by="ann")
    delete_image(gone, by="ann")
    counted = as_operator.get(f"{DATASETS}ds-1/").json()
    assert counted["image_count"] == 2
    assert counted["labels"] == {"": 1, "OK": 1}
    assert counted["tag_counts"] == {"dent": 1, "hole": 1}


def test_it_is_renamed_and_removed_only_while_it_is_empty(as_operator, monitor, session, jpeg, refused):
    key = as_operator.post(DATASETS, {"name": "Plates"}).json()["key"]
    url = f"{DATASETS}{key}/"
    assert as_operator.patch(url, {"name": "Big plates"}).json()["name"] == "Big plates"
    add_image(NewImage(data=jpeg, monitor=monitor, dataset_key=key))
    refused(as_operator.delete(url), 409, "dataset_in_use")
    empty = as_operator.post(DATASETS, {"name": "Empty"}).json()["key"]
    assert as_operator.delete(f"{DATASETS}{empty}/").status_code == 204
    refused(as_operator.get(f"{DATASETS}{empty}/"), 404, "not_found")


def test_two_organisations_may_use_the_same_key(login, organisation, other_organisation, refused):
    from sessionsite.accounts.models import User

    create_dataset(organisation, name="Ours", key="same", by="test")
    create_dataset(other_organisation, name="Theirs", key="same", by="test")
    root = login(User.objects.create_superuser("root", password="secret"))
    refused(root.get(f"{DATASETS}same/"), 409, "ambiguous_key")
    assert root.get(f"{DATASETS}same/?organisation=elsewhere").json()["name"] == "Theirs"


def test_lists_take_the_same_number_of_queries_for_one_row_and_for_many(
    as_admin, organisation, image, django_assert_num_queries
):
    from devices.services import register_device

    history = f"/api/v1/images/{image.key}/history/"
    for count in (1, 9):
        for number in range(count):
            create_dataset(organisation, name=f"d{number}", by="test")
            register_device(organisation, name=f"d{number}", type="camera", by="test")
            add_tag(image, label=f"l{number}", x=0.1, y=0.1, w=0.2, h=0.2, by="ann")
        for url, queries in ((DATASETS, 4), ("/api/v1/devices/", 4), (history, 6)):
            with django_assert_num_queries(
                queries
            ):  # login session, user, memberships, (picture, boxes,) rows
                assert len(as_admin.get(url).json()["results"]) >= count
