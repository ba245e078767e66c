"""The HTTP API as commands use it: one address, one key, and problems that read like sentences."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import aiohttp
import typer

from gateway.cli.output import fail

Url = Annotated[str, typer.Option("--url", envvar="HELIOGRAPH_URL", help="Where the gateway is.", show_default=True)]
Key = Annotated[str, typer.Option("--key", envvar="HELIOGRAPH_KEY", help="An API key (hg_…).", show_default=False)]
DEFAULT_URL = "http://127.0.0.1:8080"
_PAGE_SIZE = "200"
_SECONDS = 30
_PATIENCE_SECONDS = 120
_PAUSE_SECONDS = 1.0
_LATER = (429, 503)
_ABSENT = 404
_EMPTY = 204
_TIMEOUT = aiohttp.ClientTimeout(total=_SECONDS)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end."""

    status: int
    body: Any
    headers: Mapping[str, str]


class _NoAnswer(Exception):
    """Nothing came back; its text says why."""


class Client:
    """Calls to one gateway with one key."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        absent: str | None = None,
    ) -> Answer:
        """Make one call; a problem becomes its sentences on standard error and exit status 1.

        A body of bytes goes as it is, any other as JSON. `absent` says what it means that a thing is not there.
        """
        try:
            answer = await self._exchange(method, path, body, params, headers)
            if answer.status == _ABSENT and absent is not None:
                raise fail(absent)
            return _successful(answer)
        except _NoAnswer as error:
            raise fail(str(error)) from error

    async def call_patiently(self, method: str, path: str, *, body: object, refusals: Collection[int] = ()) -> Answer:
        """`call`, for what may be said twice: a gateway that is away, busy or counts calls is asked again.

        After two minutes without an answer it ends as `call` does. Answers of the statuses `refusals` come back as
        they are.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            is_last = time.monotonic() >= deadline
            pause = _PAUSE_SECONDS
            try:
                answer = await self._exchange(method, path, body, None, None)
                if answer.status in refusals:
                    return answer
                if is_last or answer.status not in _LATER:
                    return _successful(answer)
                asked = answer.headers.get("Retry-After", "")
                pause = float(asked) if asked.isdecimal() else pause
            except _NoAnswer as error:
                if is_last:
                    raise fail(str(error)) from error
            await asyncio.sleep(min(pause, _SECONDS))

    async def _exchange(
        self,
        method: str,
        path: str,
        body: object,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        """An answer, whatever it says. Raises _NoAnswer."""
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        try:
            async with self._session.request(
                method, self._url + path, **content, params=params, headers=headers, allow_redirects=False
            ) as response:
                # What was deleted answers nothing.
                document = None if response.status == _EMPTY else await response.json(content_type=None)
                return Answer(response.status, document, response.headers)
        except json.JSONDecodeError as error:
            raise fail(f"What answers at {self._url} is no gateway: it does not speak JSON.") from error
        except aiohttp.InvalidURL as error:
            raise fail(f"--url: {self._url} is no address, such as {DEFAULT_URL}", 2) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            told = f"No gateway answers at {self._url}: {_cause(error)}. Is `heliograph serve` running?"
            raise _NoAnswer(told) from error

    async def pages(self, path: str, params: Mapping[str, str] | None = None) -> AsyncIterator[Any]:
        """Every item of a list, page after page."""
        cursor: dict[str, str] = {}
        while True:
            answer = await self.call("GET", path, params={**(params or {}), "limit": _PAGE_SIZE, **cursor})
            for item in answer.body["items"]:
                yield item
            if not answer.body["next_cursor"]:
                return
            cursor = {"cursor": answer.body["next_cursor"]}


@asynccontextmanager
async def connect(url: str, key: str) -> AsyncIterator[Client]:
    """A client for the time of one command."""
    if not key:
        raise fail("Which key? Give --key or set HELIOGRAPH_KEY; `heliograph serve` prints one at its first start.", 2)
    headers = {"Authorization": f"Bearer {key}"}
    if traceparent := os.environ.get("TRACEPARENT"):
        headers["traceparent"] = traceparent
    async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as session:
        yield Client(session, url)


async def post_signed(url: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
    """Post to a webhook, which a signature opens and no key."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        await Client(session, url).call("POST", path, body=body, headers=headers)


def _successful(answer: Answer) -> Answer:
    if answer.status >= 400:
        raise fail(_problem(answer.body, answer.status))
    return answer


def _cause(error: Exception) -> str:
    """Why no answer came, in the system's own words rather than in the client library's."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_SECONDS} s"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    return str(error)


def _problem(document: object, status: int) -> str:
    if not isinstance(document, dict):
        return f"The gateway answered {status}."
    lines = [str(document.get("detail") or document.get("title") or f"The gateway answered {status}.")]
    for problem in document.get("errors", []):
        lines.append(f"  {problem.get('pointer', '')}: {problem.get('message', '')}")
    return "\n".join(lines)
