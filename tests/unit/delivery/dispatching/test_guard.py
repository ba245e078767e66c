"""The guard: a call that outlives its deadline is cut, and nothing else is."""

import asyncio

import pytest

from gateway.delivery.dispatching.guard import Guard


async def test_a_call_in_time_answers() -> None:
    guard = Guard(0.01)

    async def call() -> str:
        await asyncio.sleep(0)
        return "answer"

    assert await guard.cut_after(5, call()) == "answer"


async def test_a_call_that_outlives_its_deadline_is_cut_and_the_task_goes_on() -> None:
    guard = Guard(0.01)

    with pytest.raises(TimeoutError):
        await guard.cut_after(0.02, asyncio.Event().wait())
    with pytest.raises(TimeoutError):
        await guard.cut_after(0.02, asyncio.Event().wait())

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_only_the_late_call_is_cut() -> None:
    guard, answer = Guard(0.01), asyncio.Event()
    late = asyncio.create_task(guard.cut_after(0.02, asyncio.Event().wait()))
    early = asyncio.create_task(guard.cut_after(60, answer.wait()))

    await asyncio.wait([late])
    answer.set()

    assert isinstance(late.exception(), TimeoutError)
    assert await early


async def test_cancelling_the_task_is_no_time_out() -> None:
    task = asyncio.create_task(Guard(0.01).cut_after(60, asyncio.Event().wait()))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
