"""Pictures in the admin: thumbnails, boxes, review, soft deletion."""

import pytest
from django.urls import reverse

from monitoring.models import Image
from monitoring.services import NewImage, add_image, add_tag, delete_image
from tests.pictures import picture

from .conftest import detail_page, list_page, notices

MODEL = "monitoring_image"


@pytest.fixture
def boxed(image):
    add_tag(image, label="<dent>", x=0.1, y=0.2, w=0.3, h=0.4, by="ann")
    image.refresh_from_db()
    return image


def test_the_list_shows_thumbnails_labels_and_counts_of_boxes(boxed, as_viewer):
    page = list_page(as_viewer, MODEL)
    assert f'src="/api/v1/images/{boxed.key}/thumbnail/"' in page
    assert '<td class="field-boxes">1</td>' in page


def test_the_page_draws_the_boxes_without_inline_style(boxed, as_viewer):
    page = detail_page(as_viewer, MODEL, boxed).content.decode()
    assert (
        '<rect x="0.100000" y="0.200000" width="0.300000" height="0.400000"><title>&lt;dent&gt;</title>'
        in page
    )
    assert f'src="/api/v1/images/{boxed.key}/file/"' in page
    assert " style=" not in page and "<dent>" not in page
    assert "added" in page  # the edits below


def test_a_format_that_browsers_cannot_show_is_shown_as_its_thumbnail(monitor, session, as_viewer):
    added = add_image(NewImage(data=picture(format="TIFF"), monitor=monitor))
    page = detail_page(as_viewer, MODEL, Image.objects.get(key=added.key)).content.decode()
    assert f'src="/api/v1/images/{added.key}/thumbnail/"' in page and "/file/" not in page


def test_label_split_and_review_go_through_the_verb(image, as_reviewer):
    address = reverse(f"admin:{MODEL}_change", args=[image.pk])
    answer = as_reviewer.post(address, {"label": "OK", "review": "accepted", "split": "test"})
    assert answer.status_code == 302
    image.refresh_from_db()
    assert (image.label, image.review, image.split) == ("OK", "accepted", "test")
    assert image.session.events.filter(kind="image_changed").count() == 1


def test_an_operator_labels_but_does_not_review(image, as_operator, run_action):
    address = reverse(f"admin:{MODEL}_change", args=[image.pk])
    as_operator.post(address, {"label": "OK", "review": "accepted", "split": ""})
    run_action(as_operator, MODEL, "mark_as_accepted", [image], confirmed=True)
    image.refresh_from_db()
    assert (image.label, image.review) == ("OK", "unreviewed")


def test_a_label_that_cannot_be_is_refused_beside_the_field(image, as_operator):
    address = reverse(f"admin:{MODEL}_change", args=[image.pk])
    answer = as_operator.post(address, {"label": "a\u2028b", "split": ""})
    assert "line breaks" in answer.context["adminform"].form.errors["label"][0]


def test_many_are_reviewed_at_once(monitor, image, as_reviewer, run_action):
    page = run_action(as_reviewer, MODEL, "mark_as_rejected", [image]).content.decode()
    assert "From unreviewed to rejected." in page
    run_action(as_reviewer, MODEL, "mark_as_rejected", [image], confirmed=True)
    image.refresh_from_db()
    assert image.review == "rejected"


def test_a_mark_of_many_is_taken_back(image, as_reviewer, run_action):
    run_action(as_reviewer, MODEL, "mark_as_rejected", [image], confirmed=True)
    answer = run_action(as_reviewer, MODEL, "undo_my_last_edit", [image], confirmed=True)
    assert notices(answer) == ["Undo my last edit: done for 1."]
    image.refresh_from_db()
    assert image.review == "unreviewed"
    answer = run_action(as_reviewer, MODEL, "undo_my_last_edit", [image], confirmed=True)
    assert "no edit of this picture left to undo" in notices(answer)[0]


def test_deleting_is_soft_says_what_stays_and_can_be_undone(boxed, as_operator, run_action):
    page = run_action(as_operator, MODEL, "delete_pictures", [boxed]).content.decode()
    assert "goes out of sight with its boxes" in page
    answer = run_action(as_operator, MODEL, "delete_pictures", [boxed], confirmed=True)
    assert notices(answer) == ["Delete pictures: done for 1."]
    assert f"/images/{boxed.key}/thumbnail/" not in list_page(as_operator, MODEL)
    assert f"/images/{boxed.key}/thumbnail/" in list_page(as_operator, MODEL, "?deleted=yes")
    boxed.refresh_from_db()
    answer = as_operator.post(
        reverse(f"admin:{MODEL}_changelist") + "?deleted=yes",
        {"action": "restore_pictures", "_selected_action": [boxed.pk], "confirmed": "yes"},
    )
    boxed.refresh_from_db()
    assert answer.status_code == 302 and boxed.deleted_at is None


def test_no_row_is_ever_removed_here(image, as_root):
    assert as_root.post(reverse(f"admin:{MODEL}_delete", args=[image.pk]), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in list_page(as_root, MODEL)


def test_strangers_see_nothing(image, as_stranger):
    assert image.key not in list_page(as_stranger, MODEL)
    assert detail_page(as_stranger, MODEL, image).status_code == 302


@pytest.mark.parametrize("term", ["image", "session", "monitor"])
def test_search_is_by_the_beginning_of_a_key_or_a_whole_slug(term, image, as_viewer):
    text = {"image": image.key[:12], "session": image.session.key[:12], "monitor": "cam-1"}[term]
    assert image.key in list_page(as_viewer, MODEL, f"?q={text}")
    for wrong in ("im_zzz", "se_zzz", "cam"):
        assert image.key not in list_page(as_viewer, MODEL, f"?q={wrong}")


def test_filters_work_together(image, as_viewer):
    assert image.key in list_page(as_viewer, MODEL, "?monitor=cam-1&review__exact=unreviewed&deleted=all")
    delete_image(image, by="test")
    assert image.key not in list_page(as_viewer, MODEL, "?monitor=cam-1")


def test_the_list_takes_as_many_queries_for_thirty_as_for_three(
    monitor, session, as_viewer, django_assert_max_num_queries
):
    def add(count: int) -> None:
        for _ in range(count):
            added = add_image(NewImage(data=picture(Image.objects.count()), monitor=monitor))
            add_tag(Image.objects.get(key=added.key), label="x", x=0, y=0, w=1, h=1, by="test")

    add(3)
    list_page(as_viewer, MODEL)
    with django_assert_max_num_queries(12) as few:
        list_page(as_viewer, MODEL)
    add(27)
    with django_assert_max_num_queries(len(few.captured_queries)) as many:
        list_page(as_viewer, MODEL)
    assert not [
        query for query in many.captured_queries if "COUNT(*)" in query["sql"] and "LIMIT" not in query["sql"]
    ]


@pytest.mark.parametrize("most", [1, 0])
def test_pictures_of_a_split_are_listed_whether_they_are_few_or_many(as_viewer, image, monkeypatch, most):
    monkeypatch.setattr("sessionsite.common.few.FEW", most)
    assert image.key not in list_page(as_viewer, MODEL, "?split__exact=test")
    Image.objects.filter(pk=image.pk).update(split="test")
    assert image.key in list_page(as_viewer, MODEL, "?split__exact=test")
    for query in ("?split__exact=", "?split__exact=train"):
        assert image.key not in list_page(as_viewer, MODEL, query)
    assert image.key in list_page(as_viewer, MODEL)
