"""`python -m django create_key`: a service with a key, which is printed."""

import secrets

from django.core.management.base import BaseCommand

from courier.keys import digest_of
from courier.models import ApiKey, Service


class Command(BaseCommand):
    help = "Make a service with one key and print the key."

    def handle(self, **_: object) -> None:
        key = secrets.token_urlsafe(24)
        service, _ = Service.objects.get_or_create(name="shop")
        ApiKey.objects.create(digest=digest_of(key), service=service)
        self.stdout.write(key)
