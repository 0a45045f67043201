"""The page of a monitor speaks of its controller once one has answered, and of none before."""

from playwright.sync_api import expect

from tests.browser.steps import wait_until_live


def acknowledge(cameras, slug: str) -> None:
    """A controller has done what waits for it."""
    request = cameras.call("GET", f"monitors/{slug}/controller/")["request"]
    done = cameras.call("POST", f"monitors/{slug}/controller/ack/", json={"request_id": request["id"]})
    assert done["acknowledged"]


def test_the_controller_is_shown_from_its_first_answer_on_and_what_it_answered(cameras, people):
    cameras.monitor("controlled", interval_s=3600)
    page = people.open("/monitors/controlled/")
    wait_until_live(page)
    word, line = page.locator("dt.controller"), page.locator("dd.controller")
    cameras.send("controlled")
    expect(page.locator("#total")).to_have_text("1")
    expect(word).to_be_hidden()  # a request waits, and nobody was ever there to take it
    expect(line).to_be_hidden()

    acknowledge(cameras, "controlled")
    expect(word).to_be_visible()
    expect(line).to_have_text("start capture: taken")

    cameras.stop("controlled")
    expect(line).to_have_text("stop capture: for a controller to take")
    acknowledge(cameras, "controlled")
    expect(line).to_have_text("stop capture: taken")
    page.reload()
    expect(line).to_have_text("stop capture: taken")
