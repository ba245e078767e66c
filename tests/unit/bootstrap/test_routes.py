"""Which channels go where when the gateway is put together."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.bootstrap import open_gateway
from gateway.bootstrap.connections import make_routing, require_routes
from gateway.delivery.dispatching.routing import RoutingTable
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.errors import ConfigurationError
from gateway.settings import Settings
from tests.fakes import ScriptedProvider

SCALED = {"queue": {"url": "redis://127.0.0.1:1/0"}}
SMS_IN_FRANCE = {"channel": "sms", "countries": ["FR"], "providers": ["main"]}


def make_settings(*routes: dict[str, Any], **sections: Any) -> Settings:
    return Settings.model_validate({"routes": routes, **sections})


def providers_of(routing: RoutingTable, channel: Channel, country: str | None) -> tuple[str, ...]:
    route = routing.route(channel, country, Category.TRANSACTIONAL, live=True)
    return () if route is None else route.providers


def everywhere(*channels: str) -> list[dict[str, Any]]:
    return [{"channel": channel, "providers": ["main"]} for channel in channels]


def test_outside_the_embedded_mode_a_channel_without_a_route_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"routes: .* sms, push has none; write \[\[routes\]\]"):
        require_routes(make_settings(*everywhere("email"), **SCALED))


async def test_it_stops_the_start_before_the_store_is_even_asked(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    settings = make_settings(store={"url": f"sqlite:///{file}"}, **SCALED)

    with pytest.raises(ConfigurationError, match=r"routes: .* email, sms, push has none"):
        async with open_gateway(settings):
            pass

    assert not file.exists()


def test_in_embedded_mode_such_a_channel_goes_to_the_mailbox_with_a_warning() -> None:
    settings = make_settings(*everywhere("email"))

    with capture_logs() as logs:
        require_routes(settings)
        routing = make_routing(settings, {"main": ScriptedProvider("main")})

    assert providers_of(routing, Channel.EMAIL, None) == ("main",)
    assert providers_of(routing, Channel.SMS, None) == ("mailbox",)
    assert [(one["event"], one["channel"]) for one in logs] == [("route.missing", "sms"), ("route.missing", "push")]


@pytest.mark.parametrize(("sections", "elsewhere"), [({}, ("mailbox",)), (SCALED, ())], ids=["embedded", "scaled"])
def test_what_the_routes_of_a_channel_leave_out_goes_to_the_mailbox_in_embedded_mode_alone(
    sections: dict[str, Any], elsewhere: tuple[str, ...]
) -> None:
    settings = make_settings(SMS_IN_FRANCE, *everywhere("email", "push"), **sections)

    with capture_logs() as logs:
        require_routes(settings)
        routing = make_routing(settings, {"main": ScriptedProvider("main")})

    assert providers_of(routing, Channel.SMS, "FR") == ("main",)
    assert providers_of(routing, Channel.SMS, "DE") == elsewhere
    assert [(one["event"], one["channel"]) for one in logs] == [("route.partial", "sms")]
