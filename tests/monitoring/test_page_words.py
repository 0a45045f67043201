"""How pages write numbers."""

import pytest

from monitoring.templatetags.pages import width_of_bar


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0.2 s"), (1, "1 s"), (15.0, "15 s"), (60, "1:00"), (3600, "1:00:00")]
)
def test_the_width_of_a_bar_is_never_nothing(seconds, words):
    assert width_of_bar(seconds) == words
