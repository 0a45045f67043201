"""Members and invitations as people do them: by mouse, and by keyboard alone."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.steps import hold, wait_until_live
from tests.site.processes import manage


def invited(page, note: str) -> str:
    """The link of a new invitation, as the page shows it."""
    page.get_by_label("For whom").fill(note)
    page.get_by_label("Role", exact=True).select_option("operator")
    page.get_by_role("button", name="Make a link").click()
    expect(page.locator("#link")).to_be_focused()
    return page.locator("#link code").inner_text()


def test_somebody_is_invited_joins_gets_another_role_and_is_removed(people, browser, server):
    admin = people.open("/members/")
    link = invited(admin, "Dora")
    expect(admin.locator("#invites")).to_contain_text("Dora")

    context = browser.new_context()
    guest = context.new_page()
    people.listen(guest)
    guest.goto(link)
    assert guest.url == f"{server.url}/invite/"
    expect(guest.get_by_role("heading", name="Join Default")).to_be_visible()
    guest.get_by_label("Name").fill("dora")
    guest.get_by_label("Password").fill("a-good-long-one-7")
    guest.get_by_label("The same again").fill("a-good-long-one-7")
    guest.get_by_role("button", name="Create my account and join").click()
    wait_until_live(guest)

    admin.reload()
    expect(admin.locator("#invites")).not_to_contain_text("Dora")
    admin.get_by_label("Role of dora").select_option("reviewer")
    admin.get_by_role("button", name="Undo").click()
    expect(admin.get_by_label("Role of dora")).to_have_value("operator")
    expect(admin.locator("#notices")).to_contain_text("dora is operator now")

    hold(admin, admin.get_by_role("button", name=re.compile("Remove dora")))
    expect(admin.locator('[data-member="dora"]')).to_have_count(0)
    expect(guest.locator("#link-badge .word")).not_to_have_text("live")
    guest.goto(f"{server.url}/")
    expect(guest.get_by_role("heading", level=1)).to_have_text(re.compile("not|may|Not|No"))
    people.forgive("403", "404")
    context.close()


def test_an_invitation_is_withdrawn_by_keyboard_alone(people, server):
    page = people.open("/members/")
    link = invited(page, "nobody in the end")
    withdraw = page.get_by_role("button", name=re.compile("Withdraw the invitation for nobody"))
    withdraw.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(withdraw).to_have_count(0)
    page.goto(link)
    expect(page.get_by_role("heading", name="This link opens nothing")).to_be_visible()
    people.forgive("410")


def test_the_last_admin_is_told_so_and_the_field_goes_back(people):
    page = people.open("/members/")
    page.get_by_label("Role of admin").select_option("viewer")
    expect(page.get_by_role("alert")).to_contain_text("is the last admin")
    expect(page.get_by_label("Role of admin")).to_have_value("admin")
    people.forgive("409")


def test_a_token_with_few_rights_and_an_end_is_shown_as_it_was_made(people):
    page = people.open("/tokens/")
    page.get_by_label("Name").fill("night script")
    page.get_by_label("Role").select_option("viewer")
    expect(page.get_by_label("start and stop")).to_be_disabled()
    page.get_by_label("look at everything").check()
    page.get_by_label("Good for").select_option("7")
    page.get_by_label("Belongs to").select_option(index=1)
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#secret")).to_be_focused()
    page.locator("#secret").get_by_role("button", name="Copy").click()
    page.reload()
    row = page.locator('[data-list="own"] tbody tr', has_text="night script")
    expect(row).to_contain_text("viewer")
    expect(row).to_contain_text("read")
    expect(row).not_to_contain_text("no end")


def test_the_audit_page_filters_from_its_form_and_opens_both_sides(people, server):
    code = (
        "from sessionsite.accounts.models import Organisation, User;"
        "from sessionsite.accounts.services import set_role;"
        "ours = Organisation.objects.get(slug='default');"
        "eve = User.objects.create_user('eve'); set_role(eve, ours, 'viewer', by='ann');"
        "set_role(eve, ours, 'reviewer', by='ann')"
    )
    manage("shell", "-c", code, data_dir=server.data_dir)
    page = people.open("/audit/")
    page.get_by_label("Who").fill("ann")
    page.get_by_role("button", name="Filter").last.click()
    expect(page).to_have_url(re.compile(r"\?actor=ann"))
    first = page.locator(".audit li").first
    expect(first).to_contain_text("ann changed eve from viewer to reviewer")
    first.locator("summary").click()
    expect(first.locator("table")).to_contain_text("viewer")
