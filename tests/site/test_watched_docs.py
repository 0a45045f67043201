"""docs/watched-sessions.md says what the code does."""

from __future__ import annotations

import re

from sessions_app.policies import POLICIES, Policy
from tests.site.settings_of import ROOT

TEXT = (ROOT / "docs" / "watched-sessions.md").read_text()
ROW = re.compile(
    r"^\| (\w+) \| (yes|no) \| (never|after [^|]*) \| (never|after [^|]*) \| yes \|$", re.MULTILINE
)


def test_the_table_of_kinds_is_the_one_of_the_code():
    told = {
        kind: Policy(counted == "yes", unwatched != "never", unfed != "never")
        for kind, counted, unwatched, unfed in ROW.findall(TEXT)
    }
    assert told == {kind.value: policy for kind, policy in POLICIES.items()}
