"""The other service of the demo: keeps people and their consents, posts messages, and waits for their ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from gateway.cli.demo.house import House
from gateway.cli.demo.people import Cast, Person
from gateway.cli.demo.plan import TAG, Planned
from gateway.domain.lifecycle import DeliveryStatus

_AT_ONCE: Final = 24
_POLL_SECONDS: Final = 0.2
_PAGE: Final = "200"
_UNDER_WAY: Final = (
    DeliveryStatus.ACCEPTED,
    DeliveryStatus.SCHEDULED,
    DeliveryStatus.QUEUED,
    DeliveryStatus.SENDING,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One message of the plan and how the gateway answered."""

    planned: Planned
    status: int
    answer: Mapping[str, Any]

    @property
    def message_id(self) -> str | None:
        """None where it was refused."""
        return self.answer.get("id") if self.status == 202 else None


class Shop:
    """A service that calls one gateway with one key."""

    def __init__(self, session: aiohttp.ClientSession, house: House) -> None:
        self._session = session
        self._url = house.url
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def call(self, method: str, path: str, **rest: Any) -> tuple[int, Any]:
        """One call: its status and its JSON."""
        async with self._places, self._session.request(method, self._url + path, **rest) as response:
            return response.status, await response.json(content_type=None)

    async def expect(self, method: str, path: str, **rest: Any) -> Any:
        """One call that must succeed."""
        status, answer = await self.call(method, path, **rest)
        if status >= 400:
            raise RuntimeError(f"{method} {path} was answered with {status}: {answer}")
        return answer

    async def templates(self) -> list[Mapping[str, Any]]:
        """Everything that can be sent, with variables and samples."""
        listed = (await self.expect("GET", "/v1/templates"))["items"]
        return list(await asyncio.gather(*(self.expect("GET", f"/v1/templates/{one['name']}") for one in listed)))

    async def explain(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """What would become of such a message."""
        answer: Mapping[str, Any] = await self.expect("POST", "/v1/explain", json=body)
        return answer

    async def keep(self, cast: Cast, topics: Iterable[tuple[str, str]]) -> None:
        """Keep everyone; take down the fans' grants for these (channel, topic), and suppress the lost phones."""
        people = (*cast.fans, *cast.strangers)
        await asyncio.gather(
            *(self.expect("PUT", f"/v1/recipients/{person.id}", json=person.record()) for person in people)
        )
        grants = [
            {"channel": channel, "topic": topic, "state": "granted", "source": "signup-form"}
            for channel, topic in topics
        ]
        await asyncio.gather(*(self._grant(person, grants) for person in cast.fans))
        for person in cast.lost:
            body = {"channel": "sms", "address": person.phone, "reason": "stop"}
            await self.expect("POST", "/v1/suppressions", json=body)

    async def _grant(self, person: Person, grants: Sequence[Mapping[str, str]]) -> None:
        await self.expect("PUT", f"/v1/recipients/{person.id}/consents", json={"consents": list(grants)})

    async def grant_for(self, planned: Planned) -> None:
        """The grant that a planned message to one person on one channel needs."""
        template = await self.expect("GET", f"/v1/templates/{planned.body['template']}")
        line = {
            "channel": planned.body["channels"][0],
            "topic": template["topic"],
            "state": "granted",
            "source": "signup-form",
        }
        await self.expect("PUT", f"/v1/recipients/{planned.body['to']['id']}/consents", json={"consents": [line]})

    async def post_all(self, planned: Sequence[Planned], on_done: Callable[[int], None]) -> list[Posted]:
        """Post them all, many at once, and take back those that are to be; says how many are done."""
        posted: list[Posted] = []

        async def post(one: Planned) -> None:
            posted.append(await self._post(one))
            on_done(len(posted))

        await asyncio.gather(*(post(one) for one in planned))
        return posted

    async def _post(self, planned: Planned) -> Posted:
        status, answer = await self.call("POST", "/v1/messages", json=planned.body)
        if planned.cancel and status == 202:
            await self.expect("POST", f"/v1/messages/{answer['id']}/cancel", json={})
        return Posted(planned=planned, status=status, answer=answer)

    async def wait_for_ends(self, seconds: float, on_done: Callable[[int], None], of: int) -> int:
        """Wait until no message is under way, at most so long; answers how many of them still are.

        What is held until its reader's hours open is not: it may take days.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = sum(await asyncio.gather(*(self._count(status) for status in _UNDER_WAY)))
            left = left or await self._count_half_held()
            on_done(max(0, of - left))
            if left == 0 or time.monotonic() > deadline:
                return left
            await asyncio.sleep(_POLL_SECONDS)

    async def _count(self, status: str) -> int:
        page = await self.expect("GET", "/v1/messages", params={"tag": TAG, "status": status, "limit": _PAGE})
        return len(page["items"])

    async def _count_half_held(self) -> int:
        """Messages of which one delivery is held and another is still under way."""
        found = [message async for message in self._pages({"status": DeliveryStatus.HELD.value})]
        return sum(any(one["status"] in _UNDER_WAY for one in message["deliveries"]) for message in found)

    async def read_all(self) -> dict[str, Mapping[str, Any]]:
        """Every message of the run, by id."""
        return {message["id"]: message async for message in self._pages({})}

    async def _pages(self, which: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        cursor: dict[str, str] = {}
        while True:
            page = await self.expect("GET", "/v1/messages", params={"tag": TAG, "limit": _PAGE, **which, **cursor})
            for message in page["items"]:
                yield message
            if not page["next_cursor"]:
                return
            cursor = {"cursor": page["next_cursor"]}

    async def leave(self, message_id: str) -> None:
        """Leave as a mail program does: post to the address in the e-mail's own header (RFC 8058)."""
        message = await self.expect("GET", f"/v1/messages/{message_id}")
        address = message["deliveries"][0]["content"]["headers"]["List-Unsubscribe"].strip("<>")
        async with self._session.post(address, data={"List-Unsubscribe": "One-Click"}) as response:
            response.raise_for_status()
