"""What commands print, and what they say of an answer that is none."""

import pytest
import typer
from aiohttp import web
from pytest_aiohttp import AiohttpServer

from gateway.cli.client import connect
from gateway.cli.output import fail, notes, print_table

HOSTILE = "[bold]Pay[/bold] :moneybag: [/now]"


def test_brackets_and_colons_in_a_table_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HOSTILE, (HOSTILE,), [(HOSTILE,)])

    assert capsys.readouterr().out.count(HOSTILE) == 3


def test_yes_and_no_and_nothing_are_words_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", ("a", "b", "c"), [(True, False, None)])

    assert capsys.readouterr().out.splitlines()[-1].split() == ["yes", "│", "no", "│"]


def test_a_title_that_is_wider_than_its_table_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("msg_1: order-shipped in fr-CA, delivered", ("channel",), [("email",)])

    assert capsys.readouterr().out.splitlines()[0].rstrip() == "msg_1: order-shipped in fr-CA, delivered"


def test_brackets_and_colons_in_a_failure_are_text() -> None:
    with notes.capture() as told:
        fail(HOSTILE)

    assert HOSTILE in told.get()


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text="<html>It works!</html>", content_type="text/html")


async def test_a_server_that_is_no_gateway_is_named_as_such(aiohttp_server: AiohttpServer) -> None:
    app = web.Application()
    app.router.add_get("/v1/messages", _page)
    server = await aiohttp_server(app)

    with notes.capture() as told:
        async with connect(str(server.make_url("/")), "hg_live_x") as client:
            with pytest.raises(typer.Exit):
                await client.call("GET", "/v1/messages")

    assert "is no gateway" in told.get()
