"""What every provider must do that speaks HTTP/1.1: the suite of all, with a far side that misbehaves."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar, Final

from gateway.domain.messages import Envelope, Outcome
from gateway.ports import LostCall, Probed, ProbeResult, Provider, Recallable, Searchable, StatusSource
from providers.conformance.fault_server import (
    FaultServer,
    Manner,
    Mishap,
    Reply,
    Request,
    open_fault_server,
)
from providers.conformance.suite import FarSide, Fault, ProviderSuite, deadline

_PAGE: Final = b"<!doctype html><title>Sign in to the network</title>"
_HTML: Final = {"Content-Type": "text/html"}

MISHAPS: Final[Mapping[Fault, Mishap]] = {
    Fault.NO_ANSWER: Mishap.HANG,
    **{Fault(one.value): one for one in Mishap if one is not Mishap.HANG},
}
NOT_THE_PROVIDER: Final[Mapping[Fault, Reply]] = {
    Fault.BARE_ERROR: Reply(status=503, headers=_HTML, body=_PAGE),
    Fault.GARBAGE: Reply(headers=_HTML, body=_PAGE),
    Fault.REDIRECT: Reply(status=308, headers={"Location": "/elsewhere"}),
}
"""What something says that stands between us and the provider."""
HTTP_FAULTS: Final = frozenset(Fault) - {Fault.CUT_BEFORE, Fault.CUT_AFTER}


_SILENCES: Final = frozenset(
    {Fault.REFUSED_CONNECTION, Fault.RESET_AFTER_BODY, Fault.GARBAGE, Fault.BARE_ERROR, Fault.NO_HTTP}
)
"""Faults after which nothing is known of what was asked."""


def _lost(envelope: Envelope) -> LostCall:
    """The call for it, as if its answer had been lost."""
    now = datetime.now(UTC)
    return LostCall(
        delivery_id=envelope.delivery_id,
        attempt_id=envelope.attempt_id,
        to=envelope.to,
        sender=envelope.sender,
        content=envelope.content,
        began=now,
        ended=now,
    )


class HttpSide(FarSide):
    """A provider before a server, and how to find our id in what reached it."""

    def __init__(self, provider: Provider, server: FaultServer, suite: "HttpProviderSuite") -> None:
        super().__init__(provider)
        self.server = server
        self._suite = suite

    async def delivery_ids(self) -> list[str]:
        """Ours, in the order in which they came."""
        return [self._suite.delivery_id_in(request) for request in self.server.requests]


class HttpProviderSuite(ProviderSuite):
    """Give `taken`, `answers`, `make` and `delivery_id_in`; the faults of the network are here."""

    faults = HTTP_FAULTS
    taken: ClassVar[Reply]
    """What the provider says as it takes a message."""
    answers: ClassVar[Mapping[Fault, Reply]]
    """What it says to a bad address, bad content and bad credentials, and when it fails or is asked too often."""

    watches_idle_connections: ClassVar[bool] = True
    """Whether its client sees that a kept connection was closed; one that does not calls the next message `unknown`."""

    def make(self, base_url: str) -> Provider:
        """The provider under test, named `under-test`, whose servers are at that address."""
        raise NotImplementedError

    def delivery_id_in(self, request: Request) -> str:
        """Our delivery id in what reached the server."""
        raise NotImplementedError

    def aside(self, announced: Request) -> Reply | None:
        """What is answered beside the messages, such as a request for an access token."""
        return None

    def server(self, manner: Manner) -> FaultServer:
        """The far side; to be overridden where it speaks something else than HTTP/1.1."""
        return FaultServer(manner, self.aside)

    @asynccontextmanager
    async def far_side(self) -> AsyncIterator[HttpSide]:
        """A provider whose server takes everything."""
        async with self._opened(self.taken) as side:
            yield side

    @asynccontextmanager
    async def broken(self, fault: Fault) -> AsyncIterator[Provider]:
        """A provider whose server has that fault."""
        async with self._opened(self._manner(fault)) as side:
            if fault is Fault.REFUSED_CONNECTION:
                await side.server.stop()
            yield side.provider

    def _manner(self, fault: Fault) -> Manner:
        if fault in MISHAPS:
            return MISHAPS[fault]
        if fault is Fault.THROTTLED_UNTIL:
            return Reply(status=429, headers=until(timedelta(seconds=90)), body=self.answers[Fault.THROTTLED].body)
        return self.answers.get(fault) or NOT_THE_PROVIDER.get(fault, self.taken)

    @asynccontextmanager
    async def _opened(self, manner: Manner) -> AsyncIterator[HttpSide]:
        async with open_fault_server(self.server(manner)) as server:
            provider = self.make(server.url)
            try:
                yield HttpSide(provider, server, self)
            finally:
                await provider.aclose()

    async def test_a_call_is_made_once_whatever_comes_back(self) -> None:
        # Of these two nothing reaches the server whole.
        faults = sorted(self.faults - {Fault.REFUSED_CONNECTION, Fault.RESET_BEFORE_BODY})

        for fault in faults:
            async with self._opened(self._manner(fault)) as side:
                await side.provider.send(self.envelope(min(self.channels), deadline_seconds=deadline(fault)))

                assert (fault, len(side.server.requests)) == (fault, 1)

    async def test_the_wait_that_is_asked_for_is_told(self) -> None:
        waits = {}
        for fault in (Fault.THROTTLED, Fault.THROTTLED_UNTIL):
            reply = self._manner(fault)
            assert isinstance(reply, Reply)
            if fault is Fault.THROTTLED:
                reply = Reply(status=429, headers={"Retry-After": "7"}, body=reply.body)
            async with self._opened(reply) as side:
                result = await side.provider.send(self.envelope(min(self.channels)))

                assert result.outcome is Outcome.THROTTLED
                waits[fault] = result.retry_after_seconds

        assert waits == {Fault.THROTTLED: 7.0, Fault.THROTTLED_UNTIL: 90.0}

    async def test_a_question_without_an_answer_says_nothing(self) -> None:
        for fault in sorted(self.faults & _SILENCES):
            async with self._opened(self._manner(fault)) as side:
                if fault is Fault.REFUSED_CONNECTION:
                    await side.server.stop()
                provider, told = side.provider, dict[str, object]()
                if isinstance(provider, StatusSource):
                    told["fetch_status"] = await provider.fetch_status("message-1")
                if isinstance(provider, Searchable):
                    told["find"] = await provider.find(_lost(self.envelope(min(self.channels))))
                if isinstance(provider, Recallable):
                    told["cancel"] = await provider.cancel(f"{side.server.url}/message-1") or None
                if isinstance(provider, Probed):
                    # Which of its servers it asks is its own affair; it says how that went.
                    assert isinstance(await provider.health(), ProbeResult)

                assert (fault, {one for one in told.values() if one is not None}) == (fault, set())

    async def test_a_server_that_hangs_up_between_calls_is_called_anew(self) -> None:
        async with self._opened(self.taken) as side:
            outcomes = [(await side.provider.send(self.envelope(min(self.channels)))).outcome]
            port = side.server.port
            await side.server.stop()
            await side.server.start(port)

            outcomes += [(await side.provider.send(self.envelope(min(self.channels)))).outcome for _ in range(2)]

            noticed = Outcome.SENT if self.watches_idle_connections else Outcome.UNKNOWN
            assert outcomes[0] is outcomes[2] is Outcome.SENT
            assert outcomes[1] in (Outcome.SENT, noticed)


def until(wait: timedelta) -> dict[str, str]:
    """Retry-After as a date, beside the server's own clock, which is not ours."""
    now = datetime(2031, 5, 17, 12, 0, tzinfo=UTC)
    return {"Date": format_datetime(now, usegmt=True), "Retry-After": format_datetime(now + wait, usegmt=True)}
