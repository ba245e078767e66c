"""E-mails in frames: foreign HTML, alone on its route, where it can run nothing, load nothing and send nothing."""

from typing import Final

from aiohttp import web

_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"


def email_frame(html: str) -> web.Response:
    """The HTML as it was sent, under a policy of its own: the frame's and the response's sandbox both hold it."""
    return web.Response(
        text=html,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        },
    )
