"""Rows of the audit trail in words: who did what to which thing, and what was before and after."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionsite.accounts.models import AuditEntry

# object_type -> what people call it
TYPES = {
    "apitoken": "token",
    "backup": "backup",
    "dataset": "dataset",
    "device": "device",
    "image": "picture",
    "invite": "invitation",
    "job": "job",
    "membership": "member",
    "monitor": "monitor",
    "organisation": "organisation",
    "session": "session",
    "tag": "box",
    "user": "person",
    "file": "file",
    "dead_process": "ended process",
    "quarantine": "quarantine",
}
# verb -> what was done; {} is the thing
VERBS = {
    "added_rig": "added the rig {}",
    "archived": "took {} off the wall",
    "attached_device": "attached a device to {}",
    "backed_up": "made {}",
    "became_safe": "noted that {} became safe",
    "became_unsafe": "noted that {} became unsafe",
    "changed": "changed {}",
    "changed_password": "chose a new password",
    "changed_rig": "changed the rig {}",
    "created": "created {}",
    "detached_device": "detached a device from {}",
    "export_asked": "asked for an export",
    "image_changed": "changed {}",
    "image_deleted": "deleted {}",
    "image_repaired": "repaired {}",
    "image_restored": "brought back {}",
    "images_reviewed": "reviewed pictures of {}",
    "images_purged": "removed old pictures for ever",
    "import_asked": "asked for an import",
    "imported": "imported into {}",
    "imported_night": "imported a night of {}",
    "invited": "invited somebody",
    "joined": "accepted an invitation",
    "linked": "made a link to {}",
    "registered": "registered {}",
    "removed": "removed {}",
    "removed_demo": "removed the demo",
    "removed_left_over": "removed what was left over: {}",
    "repaired": "repaired {}",
    "restored": "brought back {}",
    "revoked": "revoked {}",
    "set_password": "gave {} another password",
    "set_retention": "set how long pictures stay in {}",
    "set_role": "set a role",
    "tags_changed": "changed the boxes of {}",
    "withdrew": "withdrew {}",
}


def _role_set(row: AuditEntry) -> str:
    before, after = _dict(row.before), _dict(row.after)
    who = "themselves" if after.get("user") == row.actor else after.get("user")
    if before:
        return f"changed {who} from {before.get('role')} to {after.get('role')}"
    return f"gave {who} the role {after.get('role')}"


def _member_removed(row: AuditEntry) -> str:
    before = _dict(row.before)
    return f"removed {before.get('user')}, who was {before.get('role')}"


def _invited(row: AuditEntry) -> str:
    note = _dict(row.after).get("note") or "somebody"
    return f"invited {note} as {_dict(row.after).get('role')}"


def _withdrew(row: AuditEntry) -> str:
    note = _dict(row.before).get("note")
    return f"withdrew the invitation {f'for {note} ' if note else ''}as {_dict(row.before).get('role')}"


# (verb, object_type) that read better with what they hold
SPECIAL: dict[tuple[str, str], Callable[[AuditEntry], str]] = {
    ("set_role", "membership"): _role_set,
    ("removed", "membership"): _member_removed,
    ("invited", "invite"): _invited,
    ("withdrew", "invite"): _withdrew,
    ("joined", "invite"): lambda row: f"joined as {_dict(row.after).get('role')} by invitation",
}


def sentence(row: AuditEntry) -> str:
    """`ann revoked the token camera of line 3`"""
    special = SPECIAL.get((row.verb, row.object_type))
    if special is not None:
        return f"{row.actor} {special(row)}"
    words = VERBS.get(row.verb) or f"{row.verb.replace('_', ' ')} {{}}"
    return f"{row.actor} {words.replace('{}', _thing(row))}"


def _thing(row: AuditEntry) -> str:
    held = {**_dict(row.before), **_dict(row.after)}
    name = held.get("name") or held.get("title") or row.object_key
    return f"the {TYPES.get(row.object_type, row.object_type)} {name}"


def about(row: AuditEntry) -> str:
    """`monitor cam-1`; a member has no key that people know."""
    word = TYPES.get(row.object_type, row.object_type)
    return word if row.object_type == "membership" else f"{word} {row.object_key}"


def verb_words(verb: str) -> str:
    return verb.replace("_", " ")


def changes_of(row: AuditEntry) -> list[tuple[str, str, str]]:
    """(field, before, after) of what differs, as text."""
    before, after = _dict(row.before), _dict(row.after)
    names = [*after, *(name for name in before if name not in after)]
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return [(name.replace("_", " "), _text(old), _text(new)) for name, old, new in pairs if old != new]


def _dict(value: Any) -> dict:
    """The fields of one side; `{"before": …, "after": …}` of a picture's change is one side, too."""
    return value if isinstance(value, dict) else {} if value is None else {"value": value}


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "–"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value) or "–"
