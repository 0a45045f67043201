"""One organisation with one of everything, and everybody who may come to its doors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.test import Client

from devices.services import register_device
from monitoring.exports import Wanted
from monitoring.jobs.verbs import start_export
from monitoring.models import Image
from monitoring.nina.verbs import add_rig
from monitoring.services import (
    NewImage,
    add_image,
    add_tag,
    attach_device,
    create_dataset,
    create_monitor,
    review_many,
    start_monitor,
)
from sessions_app.services import open_session, start_annotation
from sessions_app.states import Kind
from sessionsite.accounts.invites import create_invite
from sessionsite.accounts.models import User
from sessionsite.accounts.services import create_organisation, create_token, revoke_token, set_role
from sessionsite.common.access import RIGHTS, ROLE_RIGHTS, ROLES, Caller
from tests.pictures import picture

MARK = "zebra"  # stands in every name of the organisation: strangers must never read it
NOWHERE: frozenset[str] = frozenset()


@dataclass
class Who:
    """Somebody with a client. rights: what they hold in the world's organisation, None without a credential.

    elsewhere: what they hold in another one. by: how they show who they are, `cookie`, `token` or nothing.
    """

    name: str
    client: Client
    rights: frozenset[str] | None
    elsewhere: frozenset[str] = NOWHERE
    by: str = "cookie"

    def may(self, right: str) -> bool:
        return self.rights is not None and right in self.rights

    def may_anywhere(self, right: str) -> bool:
        return self.may(right) or right in self.elsewhere


@dataclass
class World:
    """names: what stands between < and > in the addresses of the table -> the world's own thing."""

    names: dict[str, str]
    everybody: list[Who] = field(default_factory=list)

    def address(self, path: str, names: dict[str, str] | None = None) -> str:
        for name, value in (self.names | (names or {})).items():
            path = path.replace(f"<{name}>", value)
        return f"/{path}"


def build() -> World:
    """The world, from nothing."""
    ours = create_organisation("ours", name=f"{MARK} works", by="test")
    theirs = create_organisation("theirs", by="test")
    dataset = create_dataset(ours, name=f"{MARK} plates", by="test")
    monitor = create_monitor(ours, slug="cam-1", name=f"{MARK} camera", dataset=dataset, by="test")
    device = register_device(ours, name=f"{MARK} phone", type="phone", by="test")
    attach_device(monitor, device, by="test")
    session = start_monitor(monitor, by=f"{MARK} ann")
    new = NewImage(data=picture(1), monitor=monitor, name=f"{MARK}.jpg", label=MARK, dataset_key=dataset.key)
    image = Image.objects.get(key=add_image(new).key)
    tag = add_tag(image, label=f"{MARK} dent", x=0.1, y=0.1, w=0.2, h=0.2, by="test")
    ours_only = Image.objects.filter(organisation=ours)
    batch = review_many(ours_only, review="doubtful", by=f"{MARK} ann").batch
    annotation = start_annotation(ours, by=f"{MARK} ann", idle_ttl_s=90)
    rig = add_rig(ours, slug="rig-1", name=f"{MARK} rig", by="test")
    night = open_session(ours, kind=Kind.RIG, monitor=rig.monitor, name=f"{MARK} night", by="test")
    job = start_export(dataset, Wanted("coco"), by=f"{MARK} ann")
    token, _ = create_token(ours, name=f"{MARK} service", role="operator", by="test")
    inviter = Caller(name=f"{MARK} ann", everywhere=True)
    invite, secret = create_invite(ours, role="viewer", note=f"{MARK} bob", by=inviter)
    names = {
        "invite": secret,
        "invite_key": invite.key,
        "organisation": ours.slug,
        "monitor": monitor.slug,
        "session": session.key,
        "annotation": annotation.key,
        "rig": rig.slug,
        "night": night.key,
        "evening": "2025-11-14",
        "image": image.key,
        "tag": tag.key,
        "batch": batch,
        "dataset": dataset.key,
        "device": device.key,
        "job": job.key,
        "token": token.key,
        "member": "viewer",
        "image_path": image.file_path,
    }
    world = World(names)
    _invite(world, ours, theirs)
    return world


def _invite(world: World, ours, theirs) -> None:
    def person(name: str, *, role: str | None = None, elsewhere: str | None = None, **fields) -> Who:
        user = User.objects.create_user(name, password="secret", **fields)
        for organisation, wanted in ((ours, role), (theirs, elsewhere)):
            if wanted:
                set_role(user, organisation, wanted, by="test")
        client = Client()
        client.force_login(user)
        return Who(name, client, ROLE_RIGHTS.get(role, NOWHERE), ROLE_RIGHTS.get(elsewhere, NOWHERE))

    def holder(name: str, organisation, role: str, scopes=(), *, revoked: bool = False) -> Who:
        token, secret = create_token(organisation, name=name, role=role, scopes=scopes, by="test")
        client = Client(headers={"Authorization": f"Bearer {secret}"})
        held = frozenset(scopes) or ROLE_RIGHTS[role]
        if revoked:
            revoke_token(token, by="test")
            return Who(name, client, None, by="token")
        if organisation == ours:
            return Who(name, client, held, by="token")
        return Who(name, client, NOWHERE, held, by="token")

    world.everybody = [
        Who("nobody", Client(), None, by=""),
        person("member of nothing"),
        person("foreign admin", elsewhere="admin"),
        *(person(role, role=role) for role in ROLES),
        Who("root", _root(), frozenset(RIGHTS), frozenset(RIGHTS)),
        *(holder(f"{role}'s token", ours, role) for role in ROLES),
        holder("ingest-only token", ours, "operator", ["ingest"]),
        holder("keys-only token", ours, "admin", ["admin"]),
        holder("foreign token", theirs, "admin"),
        holder("revoked token", ours, "admin", revoked=True),
    ]


def _root() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="secret"))
    return client


Maker = Callable[[], World]
