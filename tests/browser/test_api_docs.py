"""The page that describes REST, in a real browser under the content policy."""

from playwright.sync_api import expect


def test_the_description_is_shown_and_can_be_tried_with_the_login(server, people):
    page = people.open("/api/docs/")
    expect(page.get_by_role("heading", name="Session server")).to_be_visible()
    expect(page.locator(".opblock-tag").first).to_be_visible()
    assert page.locator(".opblock").count() > 60
    page.locator("#operations-organisations-organisations_list .opblock-summary-control").click()
    block = page.locator("#operations-organisations-organisations_list")
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table .response .response-col_status").first).to_contain_text("200")
    expect(block.locator(".live-responses-table .microlight").first).to_contain_text('"slug": "default"')


def test_a_change_is_tried_with_the_token_of_the_cookie(server, people):
    page = people.open("/api/docs/")
    block = page.locator("#operations-tokens-tickets_create")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table .response .response-col_status").first).to_contain_text("201")


def test_the_policy_has_no_exception_for_it(server, people):
    page = people.open("/api/docs/")
    answer = page.request.get("/api/docs/")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "script-src 'self'" in policy
    assert page.evaluate("document.querySelectorAll('script:not([src]), style').length") == 0
