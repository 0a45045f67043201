"""The first start: an organisation and a first user whose password is kept where its owner finds it."""

import stat

from sessionsite.accounts.models import Membership, Organisation, User
from sessionsite.accounts.services import FIRST_PASSWORD, bootstrap


def test_the_first_start_makes_an_admin_whose_password_is_in_the_data_folder(db, tmp_path):
    password = bootstrap(tmp_path)
    kept = tmp_path / FIRST_PASSWORD
    assert kept.read_text() == f"{password}\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    admin = User.objects.get()
    assert admin.get_username() == "admin" and admin.is_superuser and admin.check_password(password)
    assert Membership.objects.get().role == "admin"


def test_a_later_start_changes_nothing(db, tmp_path):
    bootstrap(tmp_path)
    assert bootstrap(tmp_path) is None
    assert (User.objects.count(), Organisation.objects.count()) == (1, 1)


def test_somebody_who_is_there_already_keeps_the_house(db, tmp_path):
    User.objects.create_user("ann")
    assert bootstrap(tmp_path) is None
    assert not (tmp_path / FIRST_PASSWORD).exists()
    assert Organisation.objects.get().slug == "default"
