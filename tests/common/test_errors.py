import json

import pytest

from sessionsite.common import errors

FAMILIES = {
    errors.DomainError: (400, "invalid"),
    errors.NotAllowed: (403, "not_allowed"),
    errors.Missing: (404, "not_found"),
    errors.Conflict: (409, "conflict"),
    errors.PreconditionFailed: (412, "precondition_failed"),
    errors.TooLarge: (413, "too_large"),
    errors.Unprocessable: (422, "unprocessable"),
    errors.PreconditionRequired: (428, "precondition_required"),
    errors.Busy: (503, "busy"),
    errors.NoRoom: (507, "disk_full"),
}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_family_has_its_status_code_and_the_one_body(family):
    error = family("that is refused", monitor="cam-1")
    assert (error.status, error.code) == FAMILIES[family]
    body = json.loads(json.dumps(error.as_json()))
    assert set(body) == {"error", "code", "details"}
    assert body["error"] == str(error) == "that is refused"
    assert body["details"]["monitor"] == "cam-1"
    assert isinstance(error, errors.DomainError)


def test_busy_says_when_to_come_again():
    error = errors.Busy("the queue is full", retry_after_s=3)
    assert error.retry_after_s == 3
    assert error.as_json()["details"] == {"retry_after_s": 3}


def test_quoted_text_is_short_and_can_always_be_sent():
    quoted = errors.quoted("\ud800" + "x" * 500)
    assert len(quoted) == 64
    quoted.encode()
