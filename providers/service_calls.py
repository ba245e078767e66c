"""Calls to the endpoints of services, whose addresses are theirs to choose: https and public, and no redirects."""

from collections.abc import Mapping

from yarl import URL

from gateway.ports import CallAnswer, Clock
from providers.endpoints import EndpointGuard
from providers.http import Answer, HttpClient, HttpSettings
from providers.http_answers import retry_after_seconds


class ServiceCalls:
    """Implements ports.EndpointCaller."""

    def __init__(self, guard: EndpointGuard, settings: HttpSettings, clock: Clock) -> None:
        self._guard = guard
        self._clock = clock
        self._client = HttpClient("webhooks", settings, guard)

    def objection(self, url: str) -> str | None:
        """Why this address must not be called, as far as it can be said without a look-up; None for no reason."""
        try:
            return self._guard.objection(URL(url, encoded=True))
        except ValueError:
            return "It is no address of the web."

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> CallAnswer:
        """Make one call. It never raises for what a server or the network does."""
        answer = await self._client.call("POST", url, headers=headers, body=body)
        match answer:
            case Answer():
                return CallAnswer(
                    status=answer.status, retry_after_seconds=retry_after_seconds(answer, self._clock.now())
                )
            case silence:
                return CallAnswer(status=None, detail=silence.detail)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()
