"""Contrast of every theme, computed from css/tokens.css as WCAG 2 defines it."""

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "monitoring/static/monitoring/css/tokens.css"
THEMES = ("light", "dark", "red")
GROUNDS = ("ground", "surface", "raised")
TEXTS = ("text", "text-quiet", "accent")
STATES = ("running", "late", "lost", "idle", "paused", "ended", "error")
LINES = ("line", "focus", *(f"label-{number}" for number in range(1, 7)))


def colours(theme: str) -> dict[str, str]:
    css = TOKENS.read_text()
    block = re.search(rf'\[data-theme="{theme}"\]\s*{{(.*?)\n}}', css, re.DOTALL)[1]
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", block))


def channels(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", [*GROUNDS, "hover"])
@pytest.mark.parametrize("name", [*TEXTS, *STATES])
def test_text_and_words_of_states_can_be_read(theme, ground, name):
    found = colours(theme)
    assert contrast(found[name], found[ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", LINES)
def test_lines_and_chips_stand_out(theme, ground, name):
    found = colours(theme)
    assert contrast(found[name], found[ground]) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("text", "ground"),
    [("on-accent", "accent"), ("on-well", "well"), ("on-selection", "selection"), ("box", "box-halo")],
)
def test_text_on_filled_ground_can_be_read(theme, text, ground):
    found = colours(theme)
    assert contrast(found[text], found[ground]) >= 4.5


def test_every_theme_has_every_colour():
    assert colours("light").keys() == colours("dark").keys() == colours("red").keys()


def test_the_red_theme_is_one_red_hue_on_black():
    for name, colour in colours("red").items():
        red, green, blue = channels(colour)
        assert green == blue, name
        assert red >= 3 * green, name
    assert colours("red")["ground"] == "#000000"


@pytest.mark.parametrize("path", sorted(TOKENS.parent.glob("*.css")), ids=lambda path: path.name)
def test_colours_and_type_sizes_are_written_in_the_tokens_only(path):
    css = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    if path != TOKENS:
        assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{]*{)|\brgb\(|\bhsl\(", css)
        assert not re.findall(r"font-size:\s*[\d.]+", css)
        assert not re.findall(r"box-shadow:[^;]*\d+px \d+px \d+px(?! 100px)", css)


def test_no_text_is_under_13_px():
    sizes = re.findall(r"--size-[\w-]+:\s*(\d+)px", TOKENS.read_text())
    assert sizes
    assert min(map(int, sizes)) == 13
