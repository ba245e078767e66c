"""Rounds of the worker and of notices."""

from structlog.testing import capture_logs

from gateway.work.rounds import keep_running


async def test_a_round_that_fails_is_told_of_and_followed_by_another() -> None:
    rounds: list[int] = []

    async def run() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise RuntimeError

    with capture_logs() as logs:
        await keep_running("trial", run, lambda: len(rounds) < 3)

    assert rounds == [0, 1, 2]
    (told,) = logs
    assert (told["event"], told["loop"], told["error"]) == ("loop.failed", "trial", "RuntimeError")
    assert "test_rounds.py" in told["where"]
