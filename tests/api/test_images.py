"""Pictures over REST: listed, labelled, reviewed, deleted, restored; their files."""

import pytest

from monitoring.models import Image
from monitoring.services import NewImage, add_image
from tests.pictures import picture

IMAGES = "/api/v1/images/"


def url_of(image, rest: str = "") -> str:
    return f"{IMAGES}{image.key}/{rest}"


def add(monitor, count: int, **fields) -> list[str]:
    return [
        add_image(NewImage(data=picture(n), monitor=monitor, **fields)).key for n in range(100, 100 + count)
    ]


def test_the_newest_picture_comes_first_and_pages_join_without_a_gap(as_viewer, monitor, session):
    keys = add(monitor, 7)
    seen, url = [], f"{IMAGES}?limit=3"
    while url:
        page = as_viewer.get(url).json()
        seen += [row["key"] for row in page["results"]]
        url = page["next"]
    assert seen == keys[::-1]


def test_the_way_back_shows_the_same_pages(as_viewer, monitor, session):
    add(monitor, 7)
    first = as_viewer.get(f"{IMAGES}?limit=3").json()
    second = as_viewer.get(first["next"]).json()
    third = as_viewer.get(second["next"]).json()
    assert first["previous"] is None and third["next"] is None and len(third["results"]) == 1
    assert as_viewer.get(third["previous"]).json()["results"] == second["results"]
    back = as_viewer.get(as_viewer.get(third["previous"]).json()["previous"]).json()
    assert back["results"] == first["results"] and back["previous"] is None


def test_a_picture_that_arrives_between_two_pages_moves_nothing(as_viewer, monitor, session):
    keys = add(monitor, 4)
    first = as_viewer.get(f"{IMAGES}?limit=2").json()
    add_image(NewImage(data=picture(999), monitor=monitor))
    second = as_viewer.get(first["next"]).json()
    assert [row["key"] for row in second["results"]] == [keys[1], keys[0]]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("monitor=cam-1", 3),
        ("monitor=cam-2", 0),
        ("label=OK", 2),
        ("label=nothing", 0),
        ("review=unreviewed", 3),
        ("review=accepted,rejected", 0),
        ("split=train", 0),
        ("tag=dent", 1),
        ("deleted=true", 0),
        ("deleted=false", 3),
        ("after=2001-01-01T00:00:00Z", 3),
        ("before=2001-01-01T00:00:00Z", 0),
        ("organisation=default", 3),
        ("organisation=elsewhere", 0),
        ("dataset=ds-1", 2),
        ("session=se_unknown", 0),
        ("label=", 3),
    ],
)
def test_filters(as_viewer, monitor, session, query, count):
    from monitoring.services import add_tag

    keys = add(monitor, 2, label="OK", dataset_key="ds-1") + [
        add_image(NewImage(data=picture(7), monitor=monitor, label="DEFECT")).key
    ]
    add_tag(Image.objects.get(key=keys[2]), label="dent", x=0.1, y=0.1, w=0.2, h=0.2, by="ann")
    assert len(as_viewer.get(f"{IMAGES}?{query}").json()["results"]) == count


@pytest.mark.parametrize(
    "query",
    ["labels=OK", "review=nice",
        "review=100%", "deleted=maybe", "after=today", "split=none", "label=a&label=b", "label=%00",
     "label=" + "x" * 101],
)  # fmt: skip
def test_a_filter_that_cannot_be_meant_is_refused(as_viewer, organisation, query):
    answer = as_viewer.get(f"{IMAGES}?{query}")
    assert answer.status_code == 400, answer.content
    assert set(answer.json()) == {"error", "code", "details"}


def test_a_label_needs_annotate_and_a_review_mark_needs_review(
    as_viewer, as_operator, as_reviewer, image, refused
):
    refused(as_viewer.patch(url_of(image), {"label": "OK"}), 403, "not_allowed")
    assert as_operator.patch(url_of(image), {"label": "OK", "split": "train"}).json()["label"] == "OK"
    refused(as_operator.patch(url_of(image), {"review": "accepted"}), 403, "not_allowed")
    refused(as_operator.patch(url_of(image), {"label": "X", "review": "accepted"}), 403, "not_allowed")
    assert as_reviewer.patch(url_of(image), {"review": "accepted"}).json()["review"] == "accepted"
    image.refresh_from_db()
    assert (image.label, image.split, image.review) == ("OK", "train", "accepted")


def test_a_change_made_from_an_older_version_is_refused_with_both_sides(as_operator, image, refused):
    tag = as_operator.get(url_of(image))["ETag"]
    assert as_operator.patch(url_of(image), {"label": "A"}, headers={"If-Match": tag}).status_code == 200
    answer = as_operator.patch(url_of(image), {"label": "B"}, headers={"If-Match": tag})
    details = refused(answer, 412, "revision_mismatch")
    assert details["yours"]["label"] == "B" and details["current"]["label"] == "A"
    refused(
        as_operator.patch(url_of(image), {"label": "B"}, headers={"If-Match": "junk"}), 400, "bad_if_match"
    )
    assert as_operator.patch(url_of(image), {"label": "B"}, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"name": "x"}, {"label": "x" * 101}, {"label": "a\nb"}, {"review": "nice"}]
)
def test_a_change_that_says_nothing_or_nonsense_is_refused(as_reviewer, image, body):
    answer = as_reviewer.patch(url_of(image), body)
    assert answer.status_code == 400 and set(answer.json()) == {"error", "code", "details"}


def test_a_deleted_picture_is_off_the_lists_and_comes_back(as_operator, image):
    assert as_operator.delete(url_of(image)).status_code == 204
    assert as_operator.delete(url_of(image)).status_code == 204
    assert as_operator.get(IMAGES).json()["results"] == []
    assert [row["key"] for row in as_operator.get(f"{IMAGES}?deleted=true").json()["results"]] == [image.key]
    assert as_operator.get(url_of(image)).json()["deleted_at"].endswith("Z")
    assert as_operator.post(url_of(image, "restore/")).json()["deleted_at"] is None
    assert len(as_operator.get(IMAGES).json()["results"]) == 1


def test_the_file_is_served_once_and_then_from_the_browser(as_viewer, image, jpeg):
    answer = as_viewer.get(url_of(image, "file/"), headers={"Accept": "image/*"})
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == jpeg
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Length"] == str(len(jpeg))
    assert answer["ETag"] == f'"{image.sha256}"'
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"] == 'inline; filename="first.jpg"'
    again = as_viewer.get(url_of(image, "file/"), headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304 and again["ETag"] == answer["ETag"]


def test_the_thumbnail_is_webp_with_a_tag_of_its_own(as_viewer, image):
    answer = as_viewer.get(url_of(image, "thumbnail/"))
    body = b"".join(answer.streaming_content)
    assert answer["Content-Type"] == "image/webp" and body[8:12] == b"WEBP"
    assert answer["ETag"] != as_viewer.get(url_of(image, "file/"))["ETag"]


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("", None),
        ("a b.png", 'inline; filename="a b.png.jpg"'),
        ("grün.jpg", "inline; filename*=utf-8''gr%C3%BCn.jpg"),
        ('x"; filename="evil.exe', 'inline; filename="x_; filename=_evil.exe.jpg"'),
        ("a\r\nSet-Cookie: x=1.jpg", None),
    ],
)
def test_no_name_of_a_camera_breaks_a_header(as_viewer, monitor, session, jpeg, name, disposition):
    kept = Image.objects.get(key=add_image(NewImage(data=jpeg, monitor=monitor, name=name)).key)
    answer = as_viewer.get(url_of(kept, "file/"))
    assert answer.status_code == 200
    assert "\n" not in answer["Content-Disposition"] and answer["Content-Disposition"].startswith("inline; ")
    assert disposition is None or answer["Content-Disposition"] == disposition


def test_behind_a_proxy_the_proxy_sends_the_bytes(as_viewer, image, settings):
    settings.MEDIA_ACCEL_PREFIX = "/protected/"
    answer = as_viewer.get(url_of(image, "file/"))
    assert answer["X-Accel-Redirect"] == f"/protected/{image.file_path}"
    assert answer.content == b"" and answer["Content-Type"] == "image/jpeg"


def test_a_file_that_is_gone_is_said_to_be_missing(as_viewer, image, settings, refused):
    (settings.MEDIA_ROOT / image.file_path).unlink()
    refused(as_viewer.get(url_of(image, "file/")), 404, "file_missing")
    assert as_viewer.get(url_of(image, "thumbnail/")).status_code == 200


def test_the_pictures_of_a_monitor_and_of_a_session_have_lists_of_their_own(
    as_viewer, monitor, session, image
):
    for url in ("/api/v1/monitors/cam-1/images/", f"/api/v1/sessions/{session.key}/images/"):
        [row] = as_viewer.get(f"{url}?review=unreviewed").json()["results"]
        assert row == as_viewer.get(url_of(image)).json()
        assert as_viewer.get(f"{url}?monitor=cam-1").status_code == 400


def test_a_list_takes_the_same_number_of_queries_for_one_picture_and_for_many(
    as_viewer, monitor, session, django_assert_num_queries
):
    from monitoring.services import add_tag

    for count in (1, 12):
        for key in add(monitor, count, label=f"l{count}", dataset_key="ds-1"):
            add_tag(Image.objects.get(key=key), label="dent", x=0.1, y=0.1, w=0.2, h=0.2, by="ann")
        with django_assert_num_queries(5):  # login session, user, memberships, images, their boxes
            assert len(as_viewer.get(IMAGES).json()["results"]) >= count
