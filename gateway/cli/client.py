"""The HTTP API as commands use it: one address, one key, and problems that read like sentences."""

import json
import os
from collections.abc import AsyncIterator, Mapping
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
_TIMEOUT = aiohttp.ClientTimeout(total=_SECONDS)


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer."""

    status: int
    body: Any
    headers: Mapping[str, str]


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
    ) -> Answer:
        """Make one call; a problem becomes its sentences on standard error and exit status 1.

        A body of bytes goes as it is, any other as JSON.
        """
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        try:
            async with self._session.request(
                method, self._url + path, **content, params=params, headers=headers, allow_redirects=False
            ) as response:
                document = await response.json(content_type=None)
                if response.status >= 400:
                    raise fail(_problem(document, response.status))
                return Answer(response.status, document, response.headers)
        except json.JSONDecodeError as error:
            raise fail(f"What answers at {self._url} is no gateway: it does not speak JSON.") from error
        except aiohttp.InvalidURL as error:
            raise fail(f"--url: {self._url} is no address, such as {DEFAULT_URL}", 2) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise fail(f"No gateway answers at {self._url}: {_cause(error)}. Is `heliograph serve` running?") from error

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
