"""Kept SMTP connections: at most so many, each used for so many messages, closed when it idles."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from providers.smtp_conversation import Conversation


class SmtpPool:
    """Lends connections, the most recently used first, so that surplus ones fall idle and close."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Conversation]],
        *,
        connections: int,
        messages_per_connection: int,
        idle_seconds: float,
    ) -> None:
        self.places = asyncio.Semaphore(connections)
        """To be held by whoever takes or opens a connection, until it is given back: one for each."""
        self._connect = connect
        self._messages_per_connection = messages_per_connection
        self._idle_seconds = idle_seconds
        self._idle: deque[tuple[Conversation, float]] = deque()
        """Each with the instant at which it fell idle; the longest idle first."""
        self._expiry: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self) -> Conversation | None:
        """A kept connection, None when no living one is left. It may prove dead at the first command."""
        while self._idle:
            conversation, _ = self._idle.pop()
            if conversation.is_usable:
                return conversation
            conversation.close()
        return None

    async def open(self) -> Conversation:
        """A new connection. Raises NotConnected."""
        return await self._connect()

    def give_back(self, conversation: Conversation) -> None:
        """Keep a connection for the next message if it is fit for one."""
        spent = conversation.messages >= self._messages_per_connection
        if self._closed or spent or not conversation.is_usable:
            conversation.close()
            return
        loop = asyncio.get_running_loop()
        self._idle.append((conversation, loop.time()))
        if self._expiry is None:
            self._expiry = loop.call_later(self._idle_seconds, self._expire)

    async def aclose(self) -> None:
        """Take leave on every idle connection; those on loan are closed as they come back."""
        self._closed = True
        if self._expiry is not None:
            self._expiry.cancel()
        while self._idle:
            self._idle.pop()[0].close()

    def _expire(self) -> None:
        """Close what has idled for too long; look again when the next one will have."""
        self._expiry = None
        loop = asyncio.get_running_loop()
        while self._idle:
            conversation, since = self._idle[0]
            if loop.time() < since + self._idle_seconds:
                self._expiry = loop.call_at(since + self._idle_seconds, self._expire)
                return
            self._idle.popleft()
            conversation.close()
