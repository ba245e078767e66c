"""Who calls: API keys by their digest, remembered for a minute in each process."""

import hashlib
import time

from django.http import HttpRequest

from courier.models import ApiKey

_REMEMBERED_SECONDS = 60.0
_remembered: dict[str, tuple[float, int]] = {}


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def service_of(request: HttpRequest) -> int | None:
    """The id of the calling service, or None."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        return None
    digest, now = digest_of(key), time.monotonic()
    until, service = _remembered.get(digest, (0.0, 0))
    if now < until:
        return service
    found = ApiKey.objects.filter(digest=digest, revoked_at=None).values_list("service_id", flat=True).first()
    if found is not None:
        _remembered[digest] = (now + _REMEMBERED_SECONDS, found)
    return found
