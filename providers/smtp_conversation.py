"""One SMTP connection that is open and signed in: a message at a time, in as few round trips as the server allows.

MAIL, RCPT and DATA go in one group where the server offers PIPELINING (RFC 2920), step by step where it does not; the
text follows as soon as it is invited. Nobody waits in between: the protocol itself answers the server, and whoever
handed the message in is told once, when it is decided.
"""

import asyncio
import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from providers.smtp_answers import Answer, Reply, Stage, read_reply
from providers.smtp_transaction import Command, Letter, commands, foreseen_refusal, prepare_text

_REPLY_LINE: Final = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?")
_START_INPUT: Final = 354
_CLOSING: Final = 421
"""The server hangs up after this one; what was asked beside it is not answered."""
_READ_BYTES: Final = 4 * 1024
_MAX_LINE_BYTES: Final = 64 * 1024
_MAX_REPLY_LINES: Final = 512
"""A server that says more than this in one breath is not one."""
_WHOLE_WRITE_BYTES: Final = 64 * 1024
"""Up to here text and dot go in one write; larger texts go first, so that a break in them is known to be one."""


class Phase(Enum):
    """Where a conversation stands, from one message to the next."""

    IDLE = auto()
    """Nothing is outstanding: fit for a message. Left by `deliver`."""
    ANNOUNCING = auto()
    """Commands are out, and their replies awaited in order. Left when the text is invited, or all have answered."""
    TEXT = auto()
    """The text is on its way out and its final dot is not: nothing is awaited. Left when most of it has gone."""
    DOT = auto()
    """The dot is out: from now on the message may have been taken. Left with the reply, for IDLE."""
    CLOSED = auto()
    """No message can follow. Every other phase may end here."""


class Conversation(asyncio.BufferedProtocol):
    """Hands messages over, one after the other, on a transport that it is given.

    It reads into a buffer of its own: asyncio makes a new one of 256 KiB for every reply to a plain protocol, which
    costs more than all else that is done with the reply.
    """

    def __init__(self, transport: asyncio.Transport, extensions: Mapping[str, str]) -> None:
        self.messages = 0
        """How many were handed over on this connection."""
        self._transport = transport
        self._extensions = extensions
        """What EHLO answered: keyword in lower case → parameters."""
        self._is_pipelined = "pipelining" in extensions
        self._loop = asyncio.get_running_loop()
        self._phase = Phase.IDLE
        self._stands_open = False
        """A transaction was broken off before its text, and stands in the way of the next."""
        self._letter: Letter
        self._commands: list[Command] = []
        self._answered = 0
        """How many of the commands were replied to."""
        self._refused: Answer | None = None
        """The first refusal, while the replies to the rest of its group are awaited."""
        self._decided: asyncio.Future[Answer] | None = None
        self._deadline = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        """Rings at the deadline of some message, mostly of one that was decided long ago: see `_ring`."""
        self._incoming = memoryview(bytearray(_READ_BYTES))
        self._unread = b""
        """The beginning of a line whose end has not come."""
        self._code: bytes | None = None
        """Of the reply whose first lines came."""
        self._lines: list[bytes] = []
        self._is_clogged = False

    @property
    def is_usable(self) -> bool:
        """Open, with no reply outstanding: fit for another message."""
        return self._phase is Phase.IDLE and not self._transport.is_closing()

    async def deliver(self, letter: Letter, deadline: float) -> Answer:
        """Hand a message over; answers what decided it, and raises for nothing that the server does.

        At the `deadline`, an instant of the loop's clock, it hangs up. So it does when the caller is cancelled:
        whatever came next on this connection would be read as a part of this message.
        """
        if not self.is_usable:
            return Answer(stage=Stage.MAIL, reply=None)
        refusal = foreseen_refusal(letter, self._extensions)
        if refusal is not None:
            return Answer(stage=Stage.MAIL, reply=refusal)
        decided: asyncio.Future[Answer] = self._loop.create_future()
        self._decided = decided
        self._letter = letter
        self._set_alarm(deadline)
        self._announce()
        try:
            return await decided
        finally:
            if not decided.done() or decided.cancelled():
                self.abort()

    def close(self) -> None:
        """Take leave as one should, without waiting for the answer; at once where something is outstanding."""
        if not self.is_usable:
            self.abort()
            return
        self._transport.write(b"QUIT\r\n")
        self._end()
        self._transport.close()

    def abort(self) -> None:
        """Hang up; a message under way comes to whatever is known of it."""
        self._transport.abort()
        self._lose()

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._incoming

    def buffer_updated(self, received: int) -> None:
        *lines, self._unread = (self._unread + self._incoming[:received].tobytes()).split(b"\n")
        if len(self._unread) > _MAX_LINE_BYTES:
            self.abort()
        for line in lines:
            if self._phase is Phase.CLOSED:
                return
            self._read_line(line.rstrip(b"\r"))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._lose()

    def pause_writing(self) -> None:
        self._is_clogged = True

    def resume_writing(self) -> None:
        self._is_clogged = False
        if self._phase is Phase.TEXT:
            self._send_dot(b"")

    def _announce(self) -> None:
        self._phase = Phase.ANNOUNCING
        self._commands = commands(self._letter, self._extensions, reset=self._stands_open)
        self._answered, self._refused = 0, None
        # Until its dot was answered: a transaction that was begun has to be reset before the next.
        self._stands_open = True
        group = self._commands if self._is_pipelined else self._commands[:1]
        self._transport.write(b"".join([command.line for command in group]))

    def _read_line(self, line: bytes) -> None:
        shaped = _REPLY_LINE.fullmatch(line)
        # Between messages only a farewell comes unasked (421 before an idle server hangs up).
        is_awaited = self._phase is Phase.ANNOUNCING or self._phase is Phase.DOT
        if shaped is None or not is_awaited or len(self._lines) >= _MAX_REPLY_LINES:
            return self.abort()
        code, more, text = shaped.groups()
        if self._code not in (None, code):
            # RFC 5321 section 4.2.1: every line has the same code; which of two would count nobody can tell.
            return self.abort()
        self._lines.append(text or b"")
        if more == b"-":
            self._code = code
            return None
        lines, self._lines, self._code = self._lines, [], None
        return self._take_reply(int(code), lines)

    def _take_reply(self, code: int, lines: list[bytes]) -> None:
        if self._phase is Phase.DOT:
            self.messages += 1
            # The dot ends the transaction, whatever the answer (RFC 5321 section 4.1.1.4).
            self._stands_open = False
            return self._settle(Answer(stage=Stage.DOT, reply=_reply(code, lines)), hang_up=code == _CLOSING)
        stage = self._commands[self._answered].stage
        self._answered += 1
        if self._refused is None and not _invites(stage, code):
            self._refused = Answer(stage=stage, reply=_reply(code, lines))
        if code == _CLOSING:
            assert self._refused is not None
            return self._settle(self._refused, hang_up=True)
        is_last = self._answered == len(self._commands)
        if self._refused is None:
            return self._send_text() if is_last else self._go_on()
        if is_last or not self._is_pipelined:
            # DATA was invited although nobody is left to get it: hanging up is the only clean way out.
            return self._settle(self._refused, hang_up=code == _START_INPUT)
        return None

    def _go_on(self) -> None:
        if not self._is_pipelined:
            self._transport.write(self._commands[self._answered].line)

    def _send_text(self) -> None:
        text = prepare_text(self._letter.mime)
        if len(text) <= _WHOLE_WRITE_BYTES:
            return self._send_dot(text)
        self._phase = Phase.TEXT
        self._transport.write(text)
        # `is_closing`: the write itself may have shown that the server is gone.
        return None if self._is_clogged or self._transport.is_closing() else self._send_dot(b"")

    def _send_dot(self, before: bytes) -> None:
        self._phase = Phase.DOT
        self._transport.write(before + b".\r\n")

    def _settle(self, answer: Answer, *, hang_up: bool = False) -> None:
        """The message is decided; the connection is free for the next one, or given up."""
        decided, self._decided = self._decided, None
        if hang_up:
            self._end()
            self._transport.abort()
        elif self._phase is not Phase.CLOSED:
            self._phase = Phase.IDLE
        if decided is not None and not decided.done():
            decided.set_result(answer)

    def _lose(self) -> None:
        """The connection is gone: before the dot nothing was taken, after it nobody knows."""
        if self._phase is Phase.CLOSED:
            return
        answer = self._refused or Answer(stage=self._stage(), reply=None)
        self._end()
        self._settle(answer)

    def _end(self) -> None:
        self._phase = Phase.CLOSED
        if self._alarm is not None:
            self._alarm.cancel()

    def _stage(self) -> Stage:
        match self._phase:
            case Phase.ANNOUNCING:
                return self._commands[self._answered].stage
            case Phase.TEXT:
                return Stage.DATA
            case Phase.DOT:
                return Stage.DOT
            case Phase.IDLE | Phase.CLOSED:
                return Stage.MAIL

    def _set_alarm(self, deadline: float) -> None:
        """One alarm serves many messages: setting and cancelling one for each costs more than a reply's reading."""
        self._deadline = deadline
        if self._alarm is not None:
            if self._alarm.when() <= deadline:
                return
            self._alarm.cancel()
        self._alarm = self._loop.call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._decided is None:
            return
        if self._loop.time() < self._deadline:
            self._set_alarm(self._deadline)
            return
        self._refused = self._refused or Answer(stage=self._stage(), reply=None, is_late=True)
        self.abort()


def _invites(stage: Stage, code: int) -> bool:
    return code == _START_INPUT if stage is Stage.DATA else 200 <= code < 300


def _reply(code: int, lines: list[bytes]) -> Reply:
    return read_reply(code, [line.decode("utf-8", "replace") for line in lines])
