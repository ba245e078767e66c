"""Which addresses of callers may be called."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gateway.domain.messages import Outcome
from providers.conformance.fault_server import Reply, open_fault_server
from providers.endpoints import EndpointGuard, GuardedResolver, UnsafeAddress
from providers.http import Answer, HttpClient, HttpSettings, NoAnswer

INSIDE = [
    "https://127.0.0.1/x",
    "https://[::1]/x",
    "https://10.1.2.3/",
    "https://172.16.0.9/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://255.255.255.255/",
    "https://224.0.0.1/",
    "https://[ff0e::1]/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "http://push.example.org/",
    "http://8.8.8.8/",
    "ftp://push.example.org/",
    "file:///etc/passwd",
    "gopher://8.8.8.8/",
    "https://user@push.example.org/",
    "https://user:password@push.example.org/",
    "https://[::127.0.0.1]/",
    "https://[fec0::1]/",
    "https:///nowhere",
    f"https://{'a' * 64}.example.org/",
    "https://a..example.org/",
    "/only/a/path",
    "",
]


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_that_is_not_https_and_public_is_objected_to(url: str) -> None:
    assert EndpointGuard().objection(URL(url)) is not None


@pytest.mark.parametrize(
    "url", ["https://push.example.org/x?y=1", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/"]
)
def test_the_rest_may_be_called(url: str) -> None:
    assert EndpointGuard().objection(URL(url)) is None


def test_what_the_operator_names_may_be_called_even_in_the_clear() -> None:
    guard = EndpointGuard(["127.0.0.1", "10.0.0.0/8", "Push.Internal"])

    allowed = ["http://127.0.0.1:8080/", "https://10.9.8.7/", "http://push.internal/"]
    assert [guard.objection(URL(url)) for url in allowed] == [None, None, None]
    assert guard.objection(URL("http://127.0.0.2/")) is not None
    assert guard.admits("push.internal", "192.168.1.1")
    assert not guard.admits("other.internal", "192.168.1.1")


@given(st.ip_addresses(v=4, network="127.0.0.0/8") | st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_no_spelling_in_ipv6_hides_an_inside_address(address: IPv4Address) -> None:
    number = int(address)
    wrapped = [
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
    ]

    assert [one for one in wrapped if EndpointGuard().objection(URL(f"https://[{one}]/")) is None] == []


async def test_a_name_that_leads_inside_is_not_looked_up_to_anything() -> None:
    with pytest.raises(UnsafeAddress):
        await GuardedResolver(EndpointGuard()).resolve("localhost", 443)

    found = await GuardedResolver(EndpointGuard(["127.0.0.0/8", "::1"])).resolve("localhost", 443)

    assert {one["host"] for one in found} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1"])
async def test_nothing_reaches_a_server_that_is_not_to_be_called(host: str) -> None:
    async with open_fault_server(Reply()) as server:
        client = HttpClient("push", HttpSettings(), EndpointGuard())

        answer = await client.call("POST", f"https://{host}:{server.port}/", headers={}, body=b"{}")
        await client.aclose()

        assert isinstance(answer, NoAnswer)
        assert answer.outcome in (Outcome.REJECTED, Outcome.MISCONFIGURED)
        assert server.requests == []


async def test_an_allowed_server_is_reached_by_its_name_and_a_redirect_leads_nowhere() -> None:
    async with open_fault_server(Reply(status=302, headers={"Location": "http://127.0.0.1:1/"})) as server:
        client = HttpClient("push", HttpSettings(), EndpointGuard(["localhost"]))

        answer = await client.call("POST", f"http://localhost:{server.port}/", headers={}, body=b"{}")
        await client.aclose()

        assert isinstance(answer, Answer)
        assert (answer.status, len(server.requests)) == (302, 1)


async def test_the_resolver_closes_without_a_trace() -> None:
    resolver = GuardedResolver(EndpointGuard(["::1", "127.0.0.1"]))
    await asyncio.wait_for(resolver.resolve("127.0.0.1", 1, socket.AF_INET), 5)

    await resolver.close()


@pytest.mark.parametrize(
    "url", ["https://xn--/", "https://xn--a-ecp.example/", "https://\u00fc.example/", "https://a:99999/"]
)
async def test_what_no_resolver_takes_for_a_name_is_objected_to_and_raises_nothing(url: str) -> None:
    client = HttpClient("main", HttpSettings(), EndpointGuard())

    found = await client.call("POST", url, headers={})
    await client.aclose()

    assert isinstance(found, NoAnswer)
    assert (found.outcome, found.code) == (Outcome.REJECTED, "unsafe_address")


async def test_a_callers_server_without_tls_says_nothing_of_our_settings() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        writer.close()

    client = HttpClient("main", HttpSettings(timeout_seconds=5), EndpointGuard(["127.0.0.1"]))
    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        found = await client.call("POST", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", headers={})
        bad = await client.call("POST", "http://[::1/", headers={})
        await client.aclose()

    assert isinstance(found, NoAnswer)
    assert isinstance(bad, NoAnswer)
    assert (found.outcome, found.code) == (Outcome.TRANSIENT, "tls")
    assert (bad.outcome, bad.code) == (Outcome.REJECTED, "bad_url")
