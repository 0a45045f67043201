"""What people do and look for on the pages, in their own words."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

HOLD_MS = 750  # longer than the 600 ms that a stop asks for


def tile(page: Page, slug: str) -> Locator:
    return page.locator(f'.tile[data-slug="{slug}"]')


def wait_until_live(page: Page) -> None:
    expect(page.locator("#link-badge .word")).to_have_text("live")


def hold(page: Page, button: Locator) -> None:
    """Presses and holds `button` long enough."""
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.wait_for_timeout(HOLD_MS)
    page.mouse.up()


def show_picture(page: Page) -> None:
    """Returns once the large picture is drawn."""
    page.wait_for_function(
        "() => { const image = document.querySelector('.viewer-stage img');"
        " return image && image.complete && image.naturalWidth > 0 && image.clientWidth > 0; }"
    )


def lose_first_answer(page: Page, method: str, ending: str) -> None:
    """The server does what the page's next request asks, and its answer never comes.

    method, ending: of which requests; how their address ends.

    In the page itself, so that no request passes before the browser intercepts it.
    """
    page.evaluate(
        """([method, ending]) => {
          const real = window.fetch;
          window.lost = [];
          window.fetch = async (address, options) => {
            const answer = await real(address, options);
            if (window.lost.length || options?.method !== method || !address.endsWith(ending)) return answer;
            window.lost.push(answer.status);
            throw new TypeError("the answer was lost");
          };
        }""",
        [method, ending],
    )


def lost_answers(page: Page) -> list[int]:
    """Statuses of the answers that `lose_first_answer` has lost."""
    return page.evaluate("window.lost")


def drag_over_picture(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drags from one point to another, in fractions of the picture."""
    frame = page.locator(".viewer-stage").bounding_box()
    place = [(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in (start, end)]
    page.mouse.move(*place[0])
    page.mouse.down()
    page.mouse.move(*place[1], steps=4)
    page.mouse.up()
