"""Boxes with the mouse, with two people at once, and when the server refuses."""

import pytest
from playwright.sync_api import expect

from tests.browser.steps import drag_over_picture, lose_first_answer, lost_answers, show_picture


@pytest.fixture(scope="module")
def bench(cameras):
    return cameras.monitor("bench", "Bench")


@pytest.fixture
def picture(cameras, bench, request) -> str:
    """The key of a picture with one box, `dent`."""
    number = 100 + sum(map(ord, request.node.name)) % 1000
    key = cameras.send(bench, number, boxes=False)
    cameras.tag(key, "dent", (0.1, 0.1, 0.3, 0.3))
    return key


@pytest.fixture
def page(people, picture):
    page = people.open(f"/images/{picture}/")
    show_picture(page)
    return page


def boxes(cameras, picture: str) -> list[dict]:
    return cameras.call("GET", f"images/{picture}/")["tags"]


def test_a_drag_draws_a_box_only_after_the_button(page, cameras, picture):
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    page.get_by_role("button", name="Draw a box").click()
    drag_over_picture(page, (0.8, 0.9), (0.5, 0.5))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert len(boxes(cameras, picture)) == 2
    assert [boxes(cameras, picture)[1][side] for side in "xywh"] == pytest.approx(
        [0.5, 0.5, 0.3, 0.4], abs=0.01
    )


def test_a_label_given_after_drawing_is_the_new_boxs(page, cameras, picture):
    before = cameras.call("GET", f"images/{picture}/")["label"]
    page.keyboard.press("b")
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    expect(page.locator("[data-target]")).to_have_text("the chosen box")
    field = page.locator(".add-label input")
    field.fill("burr")
    field.press("Enter")
    expect(page.locator("[data-boxes] [aria-pressed=true]")).to_have_text("burr")
    expect(page.locator("[data-labels-list] [aria-pressed=true]")).to_contain_text("burr")
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert sorted(tag["label"] for tag in boxes(cameras, picture)) == ["burr", "dent"]
    assert cameras.call("GET", f"images/{picture}/")["label"] == before


def test_a_box_is_drawn_in_the_right_place_while_zoomed(page, cameras, picture):
    page.locator("[data-viewer]").hover(position={"x": 200, "y": 150})
    page.mouse.wheel(0, -300)
    page.mouse.wheel(0, -300)
    frame = page.locator(".viewer-stage").bounding_box()
    view = page.locator("[data-viewer]").bounding_box()
    middle = [(view["x"] + view["width"] * share - frame["x"]) / frame["width"] for share in (0.4, 0.6)]
    level = (view["y"] + view["height"] * 0.5 - frame["y"]) / frame["height"]
    page.keyboard.press("b")
    drag_over_picture(page, (middle[0], level - 0.05), (middle[1], level + 0.05))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    drawn = boxes(cameras, picture)[1]
    assert drawn["x"] == pytest.approx(middle[0], abs=0.01)
    assert drawn["w"] == pytest.approx(middle[1] - middle[0], abs=0.01)
    page.keyboard.press("0")
    expect(page.locator("[data-viewer]")).not_to_have_class("is-zoomed")


def test_the_server_can_refuse_and_the_box_goes_back(page, people, cameras, picture):
    page.route(
        "**/api/v1/tags/**",
        lambda route: route.fulfill(
            status=403, json={"error": "You may not do this.", "code": "not_allowed", "details": {}}
        ),
    )
    page.locator("[data-boxes]").get_by_role("button", name="Delete the box dent").click()
    expect(page.locator("[data-saved]")).to_have_text("Refused: You may not do this.")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(1)
    people.forgive("403")


def test_what_was_refused_is_not_covered_by_what_was_saved_after_it(page, people, cameras, picture):
    held = []
    page.route("**/api/v1/tags/**", lambda route: held.append(route))
    page.locator("[data-boxes]").get_by_role("button", name="Delete the box dent").click()
    page.keyboard.press("b")
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    expect(page.locator("[data-boxes] .box-row")).to_have_count(1)
    held[0].fulfill(status=403, json={"error": "You may not do this.", "code": "not_allowed", "details": {}})
    expect(page.locator("[data-boxes] .box-row")).to_have_count(2)
    expect(page.locator("[data-saved]")).to_have_text("Refused: You may not do this.")
    assert len(boxes(cameras, picture)) == 2
    people.forgive("403")


def test_changes_are_kept_while_the_server_cannot_be_reached_and_sent_after(page, people, cameras, picture):
    page.context.set_offline(True)
    page.get_by_role("button", name="Draw a box").click()
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    expect(page.locator("[data-saved]")).to_have_text("Kept here: 1 change waits for the server")
    page.locator("[data-boxes]").get_by_role("button", name="Delete the box dent").first.click()
    expect(page.locator("[data-saved]")).to_have_text("Kept here: 2 changes wait for the server")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(1)
    assert [box["label"] for box in boxes(cameras, picture)] == ["dent"]
    page.context.set_offline(False)
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    [box] = boxes(cameras, picture)
    assert box["x"] == pytest.approx(0.5, abs=0.01)
    people.forgive("ERR_INTERNET_DISCONNECTED")


def test_unsaved_changes_outlive_a_reload(page, people, cameras, picture):
    page.route("**/api/v1/images/*/tags/", lambda route: route.abort())
    page.get_by_role("button", name="Draw a box").click()
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    expect(page.locator("[data-saved]")).to_have_text("Kept here: 1 change waits for the server")
    page.unroute("**/api/v1/images/*/tags/")
    page.goto("/sessions/")  # a page that knows nothing of boxes
    assert len(boxes(cameras, picture)) == 1
    page.goto(f"/images/{picture}/")
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(2)
    assert len(boxes(cameras, picture)) == 2
    people.forgive("ERR_FAILED")


def test_unsaved_changes_that_were_sent_before_their_picture_is_shown_are_told_of(page, people, picture):
    page.route("**/api/v1/images/*/tags/", lambda route: route.abort())
    page.get_by_role("button", name="Draw a box").click()
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    expect(page.locator("[data-saved]")).to_have_text("Kept here: 1 change waits for the server")
    page.goto("/sessions/")
    page.unroute("**/api/v1/images/*/tags/")
    held = []
    page.route("**/api/v1/images/*/file/", lambda route: held.append(route))
    with page.expect_response("**/api/v1/images/*/tags/"):
        page.goto(f"/images/{picture}/", wait_until="commit")
    expect(page.locator(".notices")).to_contain_text("1 change kept from before")
    for route in held:
        route.continue_()
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(2)
    people.forgive("ERR_FAILED")


def test_a_lost_answer_makes_no_second_box(page, cameras, picture):
    lose_first_answer(page, "POST", "/tags/")
    page.get_by_role("button", name="Draw a box").click()
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    assert lost_answers(page) == [201] and len(boxes(cameras, picture)) == 2
    expect(page.locator("[data-boxes] .box-row")).to_have_count(2)


def test_a_lost_answer_to_a_review_asks_nobody_which_side_to_keep(page, people, cameras, picture):
    lose_first_answer(page, "PATCH", f"/images/{picture}/")
    page.keyboard.press("d")
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert lost_answers(page) == [200]
    assert cameras.call("GET", f"images/{picture}/")["review"] == "doubtful"
    people.forgive("412")


def test_what_waited_behind_a_slow_answer_is_not_taken_for_a_clash(page, cameras, picture):
    held = []
    page.route("**/api/v1/images/*/tags/", lambda route: held.append(route))
    page.get_by_role("button", name="Draw a box").click()
    with page.expect_request("**/api/v1/images/*/tags/"):
        drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    page.keyboard.press("Escape")
    page.get_by_label("Comment on the review").fill("a reflection?")
    page.get_by_label("Comment on the review").press("Enter")
    page.locator("h1").click()
    page.keyboard.press("d")
    held[0].continue_()
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    now = cameras.call("GET", f"images/{picture}/")
    assert (now["review"], now["review_comment"], len(now["tags"])) == ("doubtful", "a reflection?", 2)


def point_on(page, x: float, y: float) -> tuple[float, float]:
    frame = page.locator(".viewer-stage").bounding_box()
    return frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]


def test_a_box_is_moved_and_sized_by_dragging(page, cameras, picture):
    drag_over_picture(page, (0.25, 0.25), (0.45, 0.35))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    [box] = boxes(cameras, picture)
    assert [box[side] for side in "xywh"] == pytest.approx([0.3, 0.2, 0.3, 0.3], abs=0.01)
    drag_over_picture(page, (0.6, 0.5), (0.9, 0.7))  # its lower right corner
    expect(page.locator("[data-boxes]")).to_contain_text("v3")
    [box] = boxes(cameras, picture)
    assert [box[side] for side in "xywh"] == pytest.approx([0.3, 0.2, 0.6, 0.5], abs=0.01)


@pytest.mark.parametrize(
    ("choice", "labels"),
    [
        ("Keep theirs", ["theirs"]),
        ("Save yours over it", ["dent"]),
        ("Keep both", ["theirs", "dent"]),
        ("Escape", ["theirs", "dent"]),
    ],
)
def test_two_changes_of_one_box_show_both_sides(page, people, cameras, picture, choice, labels):
    [box] = boxes(cameras, picture)
    page.mouse.move(*point_on(page, 0.25, 0.25))
    page.mouse.down()
    page.mouse.move(*point_on(page, 0.35, 0.3), steps=3)
    cameras.call(
        "PATCH", f"tags/{box['key']}/", json={"label": "theirs"}, headers={"If-Match": f'"{box["revision"]}"'}
    )
    expect(page.locator("[data-boxes]")).to_contain_text("theirs")
    page.mouse.up()
    sheet = page.get_by_role("dialog", name="Somebody else changed this box")
    expect(sheet).to_contain_text("dent")
    expect(sheet).to_contain_text("theirs")
    expect(sheet).to_contain_text("cameras")
    if choice == "Escape":
        page.keyboard.press("Escape")
    else:
        sheet.get_by_role("button", name=choice).click()
    expect(page.locator("[data-saved]")).to_have_text(
        "The other change was kept" if choice == "Keep theirs" else "Saved"
    )
    expect(page.locator("[data-boxes] .box-row")).to_have_count(len(labels))
    now = boxes(cameras, picture)
    assert [tag["label"] for tag in now] == labels
    if choice != "Keep theirs":
        assert now[-1]["x"] == pytest.approx(0.2, abs=0.01)
    people.forgive("412")


def test_undo_and_redo_are_the_servers(page, people, cameras, picture):
    page.keyboard.press("b")
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    page.reload()
    show_picture(page)
    page.keyboard.press("z")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(1)
    assert len(boxes(cameras, picture)) == 1
    page.keyboard.press("z")
    expect(page.locator("[data-saved]")).to_contain_text("Refused: You have no edit")
    page.keyboard.press("Shift+Z")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(2)
    assert len(boxes(cameras, picture)) == 2
    page.keyboard.press(".")
    expect(page.locator("[data-boxes] .box-row")).to_have_count(3)
    people.forgive("409")


def test_two_people_see_each_other_and_each_others_boxes(page, people, cameras, picture):
    other = people.open(f"/images/{picture}/")
    show_picture(other)
    for one in (page, other):
        expect(one.locator("[data-others]")).to_have_text("admin is here too")
    other.locator("[data-boxes] button").first.click()
    expect(page.locator(".viewer-boxes .is-others text")).to_have_text("dent · admin")
    other.keyboard.press("1")
    page.keyboard.press("b")
    drag_over_picture(page, (0.5, 0.5), (0.8, 0.9))
    for one in (page, other):
        expect(one.locator("[data-boxes] .box-row")).to_have_count(2)
        expect(one.locator("[data-boxes]")).to_contain_text("admin · v1")
    other.goto("/")
    expect(page.locator("[data-others]")).to_be_hidden()


def test_an_ended_review_is_read_only_until_it_is_reopened(page, cameras, picture):
    page.keyboard.press("a")
    expect(page.locator("[data-ended]")).to_contain_text("Accepted by admin: read-only.")
    expect(page.get_by_role("button", name="Draw a box")).to_be_disabled()
    page.keyboard.press("b")
    expect(page.locator("[data-viewer]")).not_to_have_class("is-drawing")
    page.keyboard.press("o")
    expect(page.locator("[data-ended]")).to_be_hidden()
    page.get_by_label("Comment on the review").fill("a reflection?")
    page.get_by_label("Comment on the review").press("Enter")
    page.locator("h1").click()
    page.keyboard.press("d")
    expect(page.locator("[data-saved]")).to_have_text("Saved")
    now = cameras.call("GET", f"images/{picture}/")
    assert (now["review"], now["review_comment"]) == ("doubtful", "a reflection?")


def test_a_deleted_box_is_brought_back_from_the_history(page, cameras, picture):
    page.locator("[data-boxes]").get_by_role("button", name="Delete the box dent").click()
    expect(page.locator("[data-boxes] .box-row")).to_have_count(0)
    page.locator("#edit-history summary").click()
    page.locator("#edit-history").get_by_role("button", name="Restore").click()
    expect(page.locator("[data-boxes] .box-row")).to_have_count(1)
    expect(page.locator("#edit-history li").first).to_contain_text("box dent added by admin")
    assert [box["label"] for box in boxes(cameras, picture)] == ["dent"]


GONE = "The picture is deleted: restore it first"
MARKING = (
    "[data-draw], [data-undo], [data-redo], [data-review], [data-comment], [data-labels-list] button,"
    " .add-label :is(input, button), #edit-history button"
)


def expect_marking(page, *, why: str) -> None:
    """Every control that changes the picture or its boxes is off and says `why`; with none it is on."""
    controls = page.locator(MARKING).all()
    assert len(controls) >= 11, "of every kind at least one"
    for control in controls:
        expect(control).to_be_enabled(enabled=not why)
        assert (control.get_attribute("title") or "") == why


def test_a_deleted_picture_cannot_be_marked_until_it_is_restored(page, cameras, picture):
    second = cameras.tag(picture, "burr", (0.5, 0.5, 0.2, 0.2))
    page.locator("[data-boxes]").get_by_role("button", name="Delete the box dent").click()
    page.locator("#edit-history summary").click()
    expect(page.locator("#edit-history").get_by_role("button", name="Restore")).to_be_visible()
    expect_marking(page, why="")

    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#deleted")).to_be_visible()
    expect_marking(page, why=GONE)
    expect(page.get_by_role("button", name="Delete the box burr")).to_have_count(0)
    said = page.locator(".notice", has_text=GONE)
    for key in "abdoxzZ1":
        page.keyboard.press(key)
        said.get_by_role("button", name="Close").click()
        expect(said).to_have_count(0)
    now = cameras.call("GET", f"images/{picture}/")
    assert now["review"] == "unreviewed" and [tag["key"] for tag in now["tags"]] == [second["key"]]

    page.locator("#restore").click()
    expect(page.locator("#deleted")).to_be_hidden()
    expect_marking(page, why="")


def test_an_accepted_picture_says_why_it_cannot_be_labelled(page, cameras, picture):
    page.get_by_role("button", name="Accept").click()
    why = "The picture was accepted: reopen its review first"
    for part in ("[data-draw]", "[data-labels-list] button >> nth=0", ".add-label button"):
        expect(page.locator(part)).to_be_disabled()
        expect(page.locator(part)).to_have_attribute("title", why)
    for part in ("[data-undo]", "[data-review=rejected]", "[data-reopen]"):
        expect(page.locator(part)).to_be_enabled()


def test_a_viewer_sees_boxes_and_no_tools(browser, server, cameras, picture, people):
    from tests.site.processes import manage

    code = (
        "from sessionsite.accounts.models import Organisation, User;"
        "from sessionsite.accounts.services import set_role;"
        "user = User.objects.create_user('watcher', password='pass word');"
        "set_role(user, Organisation.objects.get(slug='default'), 'viewer', by='test')"
    )
    manage("shell", "-c", code, data_dir=server.data_dir)
    page = people.open("/login/")
    page.context.clear_cookies()
    page.goto("/login/")
    page.get_by_label("Name").fill("watcher")
    page.get_by_label("Password").fill("pass word")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
    expect(page.locator(".tile").first).to_be_visible()
    expect(page.get_by_role("button", name="Stop Bench")).to_have_count(0)
    page.goto(f"/images/{picture}/")
    show_picture(page)
    expect(page.locator("[data-boxes]")).to_contain_text("dent")
    expect(page.get_by_role("button", name="Draw a box")).to_have_count(0)
    expect(page.get_by_label("New label")).to_have_count(0)
    page.keyboard.press("b")
    expect(page.locator("[data-viewer]")).not_to_have_class("is-drawing")
