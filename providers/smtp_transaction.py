"""One message over one connection: MAIL, RCPT, DATA, the text and the final dot."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email

from providers.smtp_answers import Answer, Reply, Stage
from providers.smtp_conversation import Conversation, Disconnected

_PLAIN_ADDRESS: Final = re.compile(r"[^\x00-\x20\x7f-\U0010ffff<>@\",:;\\()\[\]]+@[A-Za-z0-9.\-]+", re.ASCII)
_WHOLE_WRITE_BYTES: Final = 64 * 1024
"""Up to here text and dot go in one write; larger texts go first, so that a break in them is known to be one."""


def wire_address(address: str) -> str | None:
    """The address as it stands in MAIL and RCPT: the domain in ASCII, the local part as it is; None if it is none."""
    if _PLAIN_ADDRESS.fullmatch(address):
        return address
    try:
        checked = validate_email(address, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except (EmailNotValidError, UnicodeError):
        return None
    return f"{checked.local_part}@{checked.ascii_domain}"


@lru_cache(maxsize=256)
def return_path(sender: str) -> str | None:
    """The bare address in a sender such as `Name <a@b>`, as it stands in MAIL; None where there is none."""
    if not sender.isprintable():
        return None
    bare = sender.rpartition("<")[2].removesuffix(">") if sender.endswith(">") else sender
    return wire_address(bare.strip())


def prepare_text(mime: bytes) -> bytes:
    """The text as it goes over the wire: every line end CRLF, and leading dots doubled (RFC 5321 section 4.5.2).

    A bare CR or LF must not leave: servers that take one for a line end can be made to see a second message.
    """
    ends = mime.count(b"\r\n")
    if not ends == mime.count(b"\n") == mime.count(b"\r"):
        mime = re.sub(rb"\r\n|\r|\n", b"\r\n", mime)
    text = mime.replace(b"\r\n.", b"\r\n..")
    if text.startswith(b"."):
        text = b"." + text
    return text if text.endswith(b"\r\n") else text + b"\r\n"


@dataclass(slots=True)
class Transaction:
    """One try to hand one message over."""

    sender: str
    """The return path, as it stands in MAIL."""
    recipient: str
    mime: bytes
    stage: Stage = Stage.MAIL
    """How far it came; asked when time runs out."""

    async def run(self, conversation: Conversation) -> Answer:
        """Hand the message over; answers what decided it, and raises for nothing that the server does."""
        self.stage = Stage.MAIL
        refusal = self._foresee(conversation.extensions)
        if refusal is not None:
            return Answer(stage=Stage.MAIL, reply=refusal)
        try:
            return await self._announce(conversation) or await self._hand_over(conversation)
        except Disconnected:
            return Answer(stage=self.stage, reply=None)

    def _foresee(self, offered: Mapping[str, str]) -> Reply | None:
        """The refusal that the server's EHLO promises, in its own codes, without asking for it."""
        limit = offered.get("size", "")
        if limit.isdecimal() and 0 < int(limit) < len(self.mime):
            return Reply(code=552, enhanced="5.3.4", text="The message is larger than the server takes.")
        if not self._is_ascii_addressed and "smtputf8" not in offered:
            return Reply(code=553, enhanced="5.6.7", text="The server takes no addresses beyond ASCII.")
        if not self.mime.isascii() and "8bitmime" not in offered:
            return Reply(code=554, enhanced="5.6.3", text="The server takes 7-bit messages only.")
        return None

    @property
    def _is_ascii_addressed(self) -> bool:
        return self.sender.isascii() and self.recipient.isascii()

    def _commands(self, conversation: Conversation) -> list[tuple[Stage, bytes]]:
        mail = f"MAIL FROM:<{self.sender}>"
        if "size" in conversation.extensions:
            mail += f" SIZE={len(self.mime)}"
        if not self.mime.isascii():
            mail += " BODY=8BITMIME"
        if not self._is_ascii_addressed:
            mail += " SMTPUTF8"
        commands = [
            (Stage.MAIL, f"{mail}\r\n".encode()),
            (Stage.RCPT, f"RCPT TO:<{self.recipient}>\r\n".encode()),
            (Stage.DATA, b"DATA\r\n"),
        ]
        if conversation.needs_reset:
            commands.insert(0, (Stage.MAIL, b"RSET\r\n"))
        return commands

    async def _announce(self, conversation: Conversation) -> Answer | None:
        """MAIL, RCPT and DATA, in one group where the server takes them so; None when the text may follow."""
        commands = self._commands(conversation)
        if "pipelining" not in conversation.extensions:
            for stage, command in commands:
                self.stage = stage
                (reply,) = await conversation.exchange(command, 1)
                if not _invites(stage, reply):
                    conversation.needs_reset = True
                    return Answer(stage=stage, reply=reply)
            return None
        return await self._announce_pipelined(conversation, commands)

    async def _announce_pipelined(
        self, conversation: Conversation, commands: list[tuple[Stage, bytes]]
    ) -> Answer | None:
        broken = False
        try:
            replies = await conversation.exchange(b"".join(command for _, command in commands), len(commands))
        except Disconnected as error:
            replies, broken = error.replies, True
        for (stage, _), reply in zip(commands, replies, strict=False):
            self.stage = stage
            if not _invites(stage, reply):
                conversation.needs_reset = True
                if not broken and replies[-1].code == _START_INPUT:
                    # DATA was invited although nobody is left to get it: hanging up is the only clean way out.
                    conversation.abort()
                return Answer(stage=stage, reply=reply)
        if broken:
            raise Disconnected(replies)
        return None

    async def _hand_over(self, conversation: Conversation) -> Answer:
        """The text and the dot. From the dot on the message may have been taken."""
        self.stage = Stage.DATA
        text = prepare_text(self.mime)
        if len(text) > _WHOLE_WRITE_BYTES:
            await conversation.write(text)
            text = b""
        self.stage = Stage.DOT
        (reply,) = await conversation.exchange(text + b".\r\n", 1)
        conversation.messages += 1
        # The dot ends the transaction, whatever the answer (RFC 5321 section 4.1.1.4).
        conversation.needs_reset = False
        return Answer(stage=Stage.DOT, reply=reply)


_START_INPUT: Final = 354


def _invites(stage: Stage, reply: Reply) -> bool:
    return reply.code == _START_INPUT if stage is Stage.DATA else 200 <= reply.code < 300
