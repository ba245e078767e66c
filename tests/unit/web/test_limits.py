"""A key's rate holds for calls, and for a batch by its items."""

import pytest

from gateway.domain.ids import KeyId
from gateway.errors import RateLimited
from gateway.web.limits import RateLimiter
from tests.fakes import SetClock

KEY = KeyId("key_1")


def test_a_full_bucket_lets_one_second_of_calls_through() -> None:
    limiter = RateLimiter(SetClock())

    remaining = [limiter.take(KEY, 3.0).remaining for _ in range(3)]

    assert remaining == [2, 1, 0]
    with pytest.raises(RateLimited) as refused:
        limiter.take(KEY, 3.0)
    assert refused.value.retry_after_seconds == pytest.approx(1 / 3)


def test_tokens_come_back_with_time_up_to_the_bucket_size() -> None:
    clock = SetClock()
    limiter = RateLimiter(clock)
    for _ in range(2):
        limiter.take(KEY, 2.0)

    clock.advance(0.5)
    limiter.take(KEY, 2.0)
    clock.advance(3600)

    assert limiter.take(KEY, 2.0).remaining == 1


def test_a_batch_goes_in_and_leaves_a_debt() -> None:
    clock = SetClock()
    limiter = RateLimiter(clock)

    limiter.take(KEY, 10.0)
    limiter.charge(KEY, 99)

    with pytest.raises(RateLimited) as refused:
        limiter.take(KEY, 10.0)
    assert refused.value.retry_after_seconds == pytest.approx(9.1)
    clock.advance(9.2)
    limiter.take(KEY, 10.0)


def test_keys_do_not_share_a_bucket() -> None:
    limiter = RateLimiter(SetClock())
    limiter.take(KEY, 1.0)

    assert limiter.take(KeyId("key_2"), 1.0).remaining == 0


def test_the_headers_say_quota_rest_and_reset() -> None:
    limiter = RateLimiter(SetClock())

    headers = limiter.take(KEY, 10.0).headers

    assert headers == {"RateLimit-Policy": '"default";q=10;w=1', "RateLimit": '"default";r=9;t=1'}
