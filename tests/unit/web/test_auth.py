"""A key opens what it may for as long as it may, and the store is not asked for every request."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.ids import ServiceId
from gateway.domain.keys import Scope, Token, make_token
from gateway.ports import ApiKey, Service
from gateway.storage.store import open_store
from gateway.storage.upkeep.services import Services
from gateway.web.auth import Authenticator, Caller
from gateway.web.problems import MissingScope, Unauthenticated
from tests.factories import NOW
from tests.fakes import SetClock

SHOP = Service(id=ServiceId("svc_shop"), name="shop", senders=(), created_at=NOW)


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_store(f"sqlite:///{tmp_path}/store.db", SetClock()) as store:
        await store.services.add_service(SHOP)
        yield store.services


async def keep_key(services: Services, *, live: bool = True, expires_in: timedelta | None = None) -> Token:
    token = make_token(live=live, now=NOW)
    key = ApiKey(
        id=token.id,
        service_id=SHOP.id,
        live=live,
        scopes=frozenset({Scope.SEND}),
        secret_hash=token.secret_hash,
        rate_per_second=None,
        created_at=NOW,
        expires_at=None if expires_in is None else NOW + expires_in,
        revoked_at=None,
    )
    await services.add_key(key)
    return token


async def test_a_good_key_names_its_service(services: Services) -> None:
    token = await keep_key(services, live=False)

    caller = await Authenticator(services, SetClock()).authenticate(f"Bearer {token.text}")

    assert (caller.service_id, caller.live, caller.scopes) == (SHOP.id, False, frozenset({Scope.SEND}))


Spoil = Callable[[Token], str]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: token.text,
        lambda token: f"Basic {token.text}",
        lambda token: f"Bearer {token.text}x",
        lambda token: f"Bearer {token.text[:-1]}{'0' if token.text[-1] != '0' else '1'}",
        lambda token: f"Bearer {token.text.replace('hg_live', 'hg_test')}",
        lambda token: f"Bearer {make_token(live=True, now=NOW).text}",
        lambda token: f"Bearer {token.text} {token.text}",
        lambda token: "Bearer é",
    ],
)
async def test_every_wrong_key_is_refused_in_the_same_words(services: Services, spoil: Spoil) -> None:
    token = await keep_key(services)
    authenticator = Authenticator(services, SetClock())

    with pytest.raises(Unauthenticated) as refused:
        await authenticator.authenticate(spoil(token))

    assert refused.value.message == "Send a valid API key: `Authorization: Bearer hg_live_…`."


async def test_an_expired_key_opens_nothing(services: Services) -> None:
    token = await keep_key(services, expires_in=timedelta(seconds=10))
    clock = SetClock()
    authenticator = Authenticator(services, clock)
    await authenticator.authenticate(f"Bearer {token.text}")

    clock.advance(10)

    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(f"Bearer {token.text}")


async def test_a_revoked_key_stops_within_a_second(services: Services) -> None:
    token = await keep_key(services)
    clock = SetClock()
    authenticator = Authenticator(services, clock)
    await authenticator.authenticate(f"Bearer {token.text}")
    await services.revoke_key(token.id, NOW)

    clock.advance(1)

    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(f"Bearer {token.text}")


async def test_while_one_caller_asks_the_store_again_the_others_go_on(services: Services) -> None:
    token = await keep_key(services)
    clock, header = SetClock(), f"Bearer {token.text}"
    authenticator = Authenticator(services, clock)
    at_first = authenticator.believed(header)
    caller = await authenticator.authenticate(header)

    clock.advance(0.6)
    who_asks, others = authenticator.believed(header), [authenticator.believed(header) for _ in range(3)]
    renewed = await authenticator.authenticate(header)
    clock.advance(0.4)

    assert (at_first, who_asks) == (None, None)
    assert others == [caller] * 3
    assert authenticator.believed(header) == renewed == caller


async def test_nobody_goes_on_for_long_while_the_store_does_not_answer(services: Services) -> None:
    token = await keep_key(services)
    clock, header = SetClock(), f"Bearer {token.text}"
    authenticator = Authenticator(services, clock)
    await authenticator.authenticate(header)

    clock.advance(0.6)
    authenticator.believed(header)
    clock.advance(0.3)

    assert authenticator.believed(header) is None


async def test_a_key_found_revoked_is_forgotten_for_all_at_once(services: Services) -> None:
    token = await keep_key(services)
    clock, header = SetClock(), f"Bearer {token.text}"
    authenticator = Authenticator(services, clock)
    await authenticator.authenticate(header)
    await services.revoke_key(token.id, NOW)

    clock.advance(0.6)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(header)

    assert authenticator.believed(header) is None


def test_a_caller_without_the_scope_is_told_which_one_is_missing() -> None:
    token = make_token(live=True, now=NOW)
    caller = Caller(
        service_id=SHOP.id, key_id=token.id, live=True, scopes=frozenset({Scope.SEND}), rate_per_second=None
    )

    caller.require(Scope.SEND, Scope.OPS)

    with pytest.raises(MissingScope, match="`read` or `ops`"):
        caller.require(Scope.READ, Scope.OPS)
    assert caller.visible_service == SHOP.id
    assert replace(caller, scopes=frozenset({Scope.OPS})).visible_service is None
