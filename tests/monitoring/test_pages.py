"""The pages as a browser first gets them: who may see what, what is in them, what the history finds."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import override_settings

from monitoring.models import Image
from monitoring.services import NewImage, add_image, add_tag, create_monitor, start_monitor, stop_monitor
from sessions_app.models import Session
from sessionsite.accounts.models import User
from sessionsite.accounts.services import create_token, set_role
from tests.pictures import picture

DOCS = Path(__file__).parents[2] / "docs/pages.md"
PLAIN_PAGES = ["/", "/sessions/", "/events/", "/health/"]
ADMIN_PAGES = ["/monitors/new/", "/members/", "/audit/"]


@pytest.fixture
def load(client):
    """Loads a page as `user` and gives the answer."""

    def get(user, path: str):
        client.force_login(user)
        return client.get(path)

    return get


def data(response, name: str):
    """The JSON that the page's scripts find under `name`."""
    found = re.search(
        rf'<script id="{name}-data" type="application/json">(.*?)</script>', response.text, re.S
    )
    return json.loads(found[1])


def rows(response) -> list[str]:
    """The keys of the sessions that the history lists, in order."""
    return re.findall(r'<td class="grow first"><input [^>]+> <a href="/sessions/(se_\w+)/"', response.text)


@pytest.fixture
def paths(image) -> list[str]:
    return [*PLAIN_PAGES, "/monitors/cam-1/", f"/sessions/{image.session.key}/", f"/images/{image.key}/"]


def test_a_page_asks_those_to_log_in_who_have_not(client, paths):
    for path in [*paths, *ADMIN_PAGES]:
        response = client.get(path)
        assert response.status_code == 302
        assert response.headers["Location"] == f"/login/?next={path}"


def test_a_viewer_sees_every_page_but_those_of_the_administrator(load, viewer, paths):
    assert {path: load(viewer, path).status_code for path in paths} == dict.fromkeys(paths, 200)
    assert {path: load(viewer, path).status_code for path in ADMIN_PAGES} == dict.fromkeys(ADMIN_PAGES, 403)


def test_an_administrator_adds_monitors_and_makes_tokens(load, administrator):
    assert all(load(administrator, path).status_code == 200 for path in ADMIN_PAGES)


def test_foreign_and_unknown_things_look_the_same(load, stranger, image):
    foreign = ["/monitors/cam-1/", f"/sessions/{image.session.key}/", f"/images/{image.key}/"]
    unknown = ["/monitors/cam-99/", "/sessions/se_none/", "/images/im_none/"]
    for path in foreign + unknown:
        response = load(stranger, path)
        assert response.status_code == 404
        assert "not yours to see" in response.text


def test_somebody_without_an_organisation_is_told_so(load, db):
    response = load(User.objects.create_user("nobody"), "/")
    assert response.status_code == 403
    assert "Your role does not reach this page" in response.text


def test_a_page_carries_who_looks_and_what_they_may(load, operator):
    text = load(operator, "/").text
    assert 'data-organisation="default"' in text
    assert 'data-user="operator"' in text
    assert 'data-role="operator"' in text
    assert 'data-rights="annotate control ingest read"' in text


def test_a_page_has_no_inline_script_or_style(load, administrator, paths):
    for path in [*paths, *ADMIN_PAGES]:
        text = load(administrator, path).text
        assert not re.findall(r"<style|\sstyle=|\son\w+=", text), path
        scripts = re.findall(r"<script([^>]*)>", text)
        assert all("src=" in script or 'type="application/json"' in script for script in scripts), path


def test_a_page_is_not_kept_by_caches_and_gives_the_csrf_cookie(load, viewer):
    response = load(viewer, "/")
    assert "no-store" in response.headers["Cache-Control"]
    assert "csrftoken" in response.cookies


def test_the_wall_shows_the_fleet_of_one_organisation(load, operator, session, other_organisation):
    create_monitor(other_organisation, slug="foreign", name="Foreign", by="test")
    fleet = data(load(operator, "/"), "fleet")
    assert [monitor["slug"] for monitor in fleet["monitors"]] == ["cam-1"]
    assert fleet["counts"]["running"] == 1
    assert fleet["events"][0]["kind"] == "started"


def test_what_cameras_say_of_their_pictures_does_not_push_the_news_out(load, operator, image):
    for at in range(50):
        add_tag(image, label="dent", x=0.1, y=0.01 * at, w=0.1, h=0.1, by="camera", source="device")
    add_tag(image, label="dent", x=0.1, y=0.1, w=0.1, h=0.1, by="ann")
    for path in ("/", "/monitors/cam-1/", "/events/"):
        kinds = [event["kind"] for event in data(load(operator, path), "events")]
        assert kinds == ["tags_changed", "started"]


def test_the_events_are_filtered_by_severity_in_the_address(load, operator, image):
    from monitoring.services import delete_image

    delete_image(image, by="ann")
    assert [event["kind"] for event in data(load(operator, "/events/?level=warning"), "events")] == [
        "image_deleted"
    ]
    assert data(load(operator, "/events/?level=error"), "events") == []
    assert len(data(load(operator, "/events/?level=odd"), "events")) == 2


def test_the_chosen_organisation_stays_chosen(load, operator, other_organisation):
    set_role(operator, other_organisation, "viewer", by="test")
    assert data(load(operator, "/"), "fleet")["organisation"] == "default"
    assert data(load(operator, "/?organisation=elsewhere"), "fleet")["organisation"] == "elsewhere"
    assert 'data-organisation="elsewhere"' in load(operator, "/sessions/").text


def test_an_organisation_that_is_not_mine_is_not_chosen(load, operator, other_organisation):
    assert data(load(operator, "/?organisation=elsewhere"), "fleet")["organisation"] == "default"


def test_the_monitor_page_holds_its_state_and_its_events(load, operator, image):
    response = load(operator, "/monitors/cam-1/")
    assert data(response, "monitor")["last_image"]["key"] == image.key
    assert {event["kind"] for event in data(response, "events")} >= {"started"}


def test_an_archived_monitor_has_no_page(load, operator, monitor):
    from monitoring.services import archive_monitor

    archive_monitor(monitor, by="ann")
    assert load(operator, "/monitors/cam-1/").status_code == 404


def test_the_picture_page_offers_the_labels_of_its_session(load, operator, monitor, image):
    add_image(NewImage(data=picture(2), monitor=monitor, label="OK"))
    add_tag(image, label="scratch", x=0.1, y=0.1, w=0.2, h=0.2, by="ann")
    assert data(load(operator, f"/images/{image.key}/"), "labels") == {
        "pictures": ["OK"],
        "boxes": ["scratch"],
    }


def test_the_review_of_all_monitors_offers_the_labels_of_their_newest_sessions(
    load, operator, monitor, image
):
    add_image(NewImage(data=picture(2), monitor=monitor, label="OK"))
    add_tag(image, label="scratch", x=0.1, y=0.1, w=0.2, h=0.2, by="ann")
    offered = {"pictures": ["OK"], "boxes": ["scratch"]}
    assert data(load(operator, "/review/"), "labels") == offered
    assert data(load(operator, "/review/?monitor=cam-1"), "labels") == offered


def test_the_picture_page_links_its_neighbours_in_the_session(load, operator, monitor, session):
    keys = [add_image(NewImage(data=picture(n), monitor=monitor)).key for n in range(3)]
    now = datetime.now(UTC)
    Image.objects.update(received_at=now)  # one batch: all at the same moment
    text = load(operator, f"/images/{keys[1]}/").text
    assert f'rel="next" href="/images/{keys[2]}/"' in text
    assert f'rel="prev" href="/images/{keys[0]}/"' in text
    assert 'rel="prev"' not in load(operator, f"/images/{keys[0]}/").text


def test_the_history_is_newest_first(load, operator, monitor):
    first = stop_monitor(_started(monitor), by="ann")
    second = start_monitor(monitor, by="ann")
    assert rows(load(operator, "/sessions/")) == [second.key, first.key]


def _started(monitor):
    start_monitor(monitor, by="ann")
    monitor.refresh_from_db()
    return monitor


@pytest.fixture
def sessions(organisation, monitor) -> dict[str, Session]:
    """A named one that ended on 1 March, and one that runs on another monitor."""
    ended = stop_monitor(_started(monitor), by="ann")
    day = datetime(2026, 3, 1, 12, tzinfo=UTC)
    Session.objects.filter(pk=ended.pk).update(name="Night shift", started_at=day, stopped_at=day)
    other = create_monitor(organisation, slug="cam-2", name="Camera 2", by="test")
    return {"ended": ended, "running": start_monitor(other, by="bob")}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"ended", "running"}),
        ("monitor=cam-2", {"running"}),
        ("state=completed", {"ended"}),
        ("kind=monitor", {"ended", "running"}),
        ("kind=rig", set()),
        ("q=Night", {"ended"}),
        ("started_after=2026-03-02", {"running"}),
        ("started_before=2026-03-01", {"ended"}),
        ("started_after=2026-03-01&started_before=2026-03-01", {"ended"}),
        ("started_before=2026-02-28", set()),
        ("state=active&monitor=cam-1", set()),
        ("label=OK", set()),
    ],
)
def test_the_history_is_filtered_by_its_address(load, operator, sessions, query, found):
    keys = {name: session.key for name, session in sessions.items()}
    assert set(rows(load(operator, f"/sessions/?{query}"))) == {keys[name] for name in found}


def test_a_label_finds_the_sessions_that_carry_it(load, operator, monitor, image):
    from monitoring.services import change_image

    change_image(image, label="DEFECT", by="ann")
    assert rows(load(operator, "/sessions/?label=DEFECT")) == [image.session.key]


def test_a_filter_in_use_can_be_dropped(load, operator, sessions):
    text = load(operator, "/sessions/?monitor=cam-2&state=active").text
    assert "Monitor: Camera 2" in text
    assert 'href="/sessions/?state=active"' in text
    assert 'href="/sessions/?monitor=cam-2"' in text


def test_an_empty_history_names_the_filters_that_emptied_it(load, operator, sessions):
    text = load(operator, "/sessions/?monitor=cam-1&kind=rig").text
    assert "No session fits" in text
    assert "<b>monitor Camera 1</b> and <b>kind rig</b>" in text


def test_a_history_without_sessions_says_how_to_begin(load, operator):
    assert "A session begins when a monitor is started" in load(operator, "/sessions/").text


@pytest.mark.parametrize(
    "query", ["started_after=yesterday", "state=odd", "kind=%FF", "monitor=" + "x" * 500]
)
def test_a_filter_that_cannot_be_meant_is_never_an_error(load, operator, sessions, query):
    assert load(operator, f"/sessions/?{query}").status_code == 200


def test_a_wrong_day_is_kept_and_explained(load, operator, sessions):
    response = load(operator, "/sessions/?started_after=yesterday")
    assert 'value="yesterday"' in response.text
    assert "Write a day as 2026-01-31" in response.text
    assert len(rows(response)) == 2


def test_a_long_history_comes_in_pages_by_a_cursor(load, operator, monitor):
    keys = []
    for _ in range(60):
        monitor.refresh_from_db()
        keys.insert(0, start_monitor(monitor, by="ann").key)
        monitor.refresh_from_db()
        stop_monitor(monitor, by="ann")
    first = load(operator, "/sessions/?monitor=cam-1")
    older = re.search(r'rel="next" href="([^"]+)"', first.text)[1].replace("&amp;", "&")
    assert "monitor=cam-1" in older
    second = load(operator, older)
    assert rows(first) + rows(second) == keys
    newer = re.search(r'rel="prev" href="([^"]+)"', second.text)[1].replace("&amp;", "&")
    assert rows(load(operator, newer)) == rows(first)


def test_a_cursor_that_is_not_ours_is_a_bad_request(load, operator):
    response = load(operator, "/sessions/?cursor=nonsense")
    assert response.status_code == 400
    assert "cannot be understood" in response.text


def test_the_history_takes_a_fixed_number_of_queries(
    load, operator, monitor, sessions, django_assert_max_num_queries
):
    client_page = load(operator, "/sessions/")
    assert client_page.status_code == 200
    with django_assert_max_num_queries(14):
        load(operator, "/sessions/")


def test_tokens_are_listed_without_their_secrets(load, administrator, organisation, other_organisation):
    _, secret = create_token(organisation, name="line 1", role="operator", by="test")
    create_token(other_organisation, name="foreign", role="operator", by="test")
    text = load(administrator, "/tokens/").text
    assert "line 1" in text
    assert secret not in text
    assert "foreign" not in text


def test_the_login_page_says_where_the_first_password_lies_while_it_is_there(client, db, tmp_path):
    folder = tmp_path / "var"
    folder.mkdir()
    with override_settings(DATA_DIR=folder):
        assert "first-password" not in client.get("/login/").text
        (folder / "first-password").write_text("secret word")
        text = client.get("/login/").text
    assert "<code>var/first-password</code>" in text
    assert "secret word" not in text
    assert str(tmp_path) not in text


def test_logging_in_leads_to_the_page_that_was_asked_for(client, operator):
    form = {"username": "operator", "password": "secret", "next": "/sessions/"}
    response = client.post("/login/", form)
    assert response.headers["Location"] == "/sessions/"
    assert client.get("/sessions/").status_code == 200


def test_a_wrong_password_keeps_the_name_and_says_what_is_wrong(client, operator):
    response = client.post("/login/", {"username": "operator", "password": "wrong"})
    assert 'value="operator"' in response.text
    assert "Name and password do not fit" in response.text


def test_logging_out_ends_at_the_login_page(client, operator):
    client.force_login(operator)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_an_error_page_needs_no_request_and_no_database(status):
    from django.template.loader import get_template

    text = get_template(f"{status}.html").render()
    assert f">{status}<" in text
    assert "Go to the live wall" in text


def test_the_documentation_lists_every_page():
    from monitoring.pages_urls import urlpatterns

    documented = set(re.findall(r"`(/[^`?]*)`", DOCS.read_text().split("## How true")[0]))
    routes = {"/" + re.sub(r"<\w+:(\w+)>", r"<\1>", str(route.pattern)) for route in urlpatterns}
    assert documented == routes
