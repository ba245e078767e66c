"""Kept SMTP connections: at most so many, each used for so many messages, closed when it idles."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from providers.smtp_conversation import Conversation


@dataclass(slots=True, kw_only=True)
class _Idle:
    conversation: Conversation
    expiry: asyncio.TimerHandle


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
        self._connect = connect
        self._places = asyncio.Semaphore(connections)
        self._messages_per_connection = messages_per_connection
        self._idle_seconds = idle_seconds
        self._idle: list[_Idle] = []
        self._closed = False

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for one of the places; each holds one connection at a time."""
        async with self._places:
            yield

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[Conversation | None]:
        """Lend a kept connection, None when no living one is left. It may prove dead at the first command."""
        conversation = self._take()
        try:
            yield conversation
        finally:
            if conversation is not None:
                self._give_back(conversation)

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Conversation]:
        """Lend a connection just opened. Raises NotConnected."""
        conversation = await self._connect()
        try:
            yield conversation
        finally:
            self._give_back(conversation)

    async def aclose(self) -> None:
        """Take leave on every idle connection; those on loan are closed as they come back."""
        self._closed = True
        while self._idle:
            self._close(self._idle.pop())

    def _take(self) -> Conversation | None:
        while self._idle:
            idle = self._idle.pop()
            idle.expiry.cancel()
            if idle.conversation.is_usable:
                return idle.conversation
            idle.conversation.close()
        return None

    def _give_back(self, conversation: Conversation) -> None:
        spent = conversation.messages >= self._messages_per_connection
        if self._closed or spent or not conversation.is_usable:
            conversation.close()
            return
        loop = asyncio.get_running_loop()
        expiry = loop.call_later(self._idle_seconds, self._expire, conversation)
        self._idle.append(_Idle(conversation=conversation, expiry=expiry))

    def _expire(self, conversation: Conversation) -> None:
        for idle in self._idle:
            if idle.conversation is conversation:
                self._idle.remove(idle)
                self._close(idle)
                return

    @staticmethod
    def _close(idle: _Idle) -> None:
        idle.expiry.cancel()
        idle.conversation.close()
