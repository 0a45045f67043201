"""A picture as base64 text: read strictly, with or without a data URL, and never above the cap."""

import base64

import pytest

from monitoring.imaging import NotAPicture, PictureTooLarge, decode_base64, inspect
from tests.pictures import picture


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,", "DATA:image/x+y;charset=utf-8;base64,"])
def test_base64_with_or_without_a_data_url_prefix_is_read(prefix):
    text = prefix + base64.b64encode(picture()).decode()
    assert decode_base64(text) == picture()


@pytest.mark.parametrize(
    "text",
    [
        None, 5, b"YQ==", [], "YQ", "YQ=", "YQ==\n", "Y Q==", "YQ==YQ==", "Y*==", "YQ-_", "é", "\ud800",
        "data:image/png,YQ==", "data:;base64,YQ==", "data:image/png;base64", "data:" + "x" * 500, "=", "A",
    ],
)  # fmt: skip
def test_what_is_not_strict_base64_is_refused(text):
    with pytest.raises(NotAPicture):
        decode_base64(text)


def test_empty_base64_is_an_empty_picture():
    assert decode_base64("") == b""
    with pytest.raises(NotAPicture, match="empty"):
        inspect(decode_base64("data:image/png;base64,"))


def test_base64_over_the_cap_is_refused_before_it_is_decoded(settings):
    settings.MAX_IMAGE_BYTES = 3000
    assert len(decode_base64(base64.b64encode(b"x" * 3000).decode())) == 3000
    with pytest.raises(PictureTooLarge):
        decode_base64("*" * 5000)
