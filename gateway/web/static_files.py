"""The files that pages need, each on its own route: a name that is not among them is no file at all."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

ROOT: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
}
_VENDORED: Final = "public, max-age=31536000, immutable"
"""Vendored files carry their version in the path."""
_OWN: Final = "no-cache"


def static_routes(root: Path = ROOT) -> list[web.RouteDef]:
    """A GET route under `/static/` for every file below `root` whose kind pages use."""
    return [
        web.get(f"/static/{path.relative_to(root).as_posix()}", _handler(path))
        for path in sorted(root.rglob("*"))
        if path.suffix in _TYPES and path.is_file()
    ]


def _handler(path: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    headers = {
        "Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8"
        if path.suffix in (".js", ".css", ".txt")
        else _TYPES[path.suffix],
        "Cache-Control": _VENDORED if "vendor" in path.parts else _OWN,
    }

    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, headers=headers)

    return serve
