"""JSON answers that nobody holds in memory: written while they are made."""

from collections.abc import AsyncIterator

from aiohttp import web


class StreamedJson(web.StreamResponse):
    """An `application/json` answer made of pieces; one that fails on the way ends the connection before its end."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        super().__init__(headers={"Content-Type": "application/json"})
        self._pieces = pieces

    async def write_eof(self, data: bytes = b"") -> None:
        """Write piece after piece."""
        async for piece in self._pieces:
            await self.write(piece)
        await super().write_eof(data)
