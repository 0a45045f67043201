"""Make a token from the shell."""

from django.core.management.base import BaseCommand, CommandError

from sessionsite.accounts.models import Organisation
from sessionsite.accounts.services import create_token
from sessionsite.common.access import RIGHTS, ROLES
from sessionsite.common.errors import DomainError


class Command(BaseCommand):
    help = "Make an API token and print its secret, alone, on stdout."

    def add_arguments(self, parser):
        parser.add_argument("name")
        parser.add_argument("--role", required=True, choices=ROLES)
        parser.add_argument("--organisation", default="default", metavar="SLUG")
        parser.add_argument(
            "--scopes", default="", metavar="A,B", help=f"some of {','.join(RIGHTS)}; default: all"
        )

    def handle(self, *, name, role, organisation, scopes, **options):
        try:
            owner = Organisation.objects.get(slug=organisation)
            wanted = [scope for scope in scopes.split(",") if scope]
            _, secret = create_token(owner, name=name, role=role, scopes=wanted, by="create_token")
        except Organisation.DoesNotExist:
            raise CommandError(f"There is no organisation {organisation}.") from None
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(secret)
