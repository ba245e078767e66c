"""Double opt-in: a person is asked by a message whether they said it, and only their own click grants.

The pending line and the message that asks are written in one transaction. The link in it names the line and never the
person; a GET shows what it is about, a POST grants.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.delivery import events
from gateway.delivery.accepting.drafting import Drafter
from gateway.domain import ids
from gateway.domain.audit import RECIPIENT
from gateway.domain.ids import ConsentId, make_id
from gateway.domain.messages import SendRequest
from gateway.domain.preferences import Consent, ConsentState
from gateway.domain.recipients import JsonValue, Recipient
from gateway.domain.values import Value, replace
from gateway.errors import FieldProblem, InvalidRequest, NotFound
from gateway.ports import Clock, ConsentStore, NewMessage, RecipientStore

TEMPLATE: Final = "double-opt-in"
ASKED_BY: Final = "confirmation_message"
"""The member of a pending line's evidence that names the message which asks."""
_PURPOSE: Final = b"confirm:"
_SIGNATURE_BYTES: Final = 16
_MAX_TOKEN: Final = 128
_TICK: Final = timedelta(microseconds=1)


class ConfirmationLinks:
    """Makes and reads the tokens of links that confirm."""

    def __init__(self, secret: bytes, public_url: str) -> None:
        self._keyed = hmac.new(secret, _PURPOSE, hashlib.sha256)
        self._base = f"{public_url.rstrip('/')}/u/"

    def token(self, consent_id: ConsentId) -> str:
        """The token of a pending line."""
        return f"{consent_id}.{self._signature(consent_id)}"

    def url(self, consent_id: ConsentId) -> str:
        """The page of a pending line."""
        return self._base + self.token(consent_id)

    def read(self, token: str) -> ConsentId | None:
        """The pending line that a token names; None for a token that is no such token of ours."""
        if len(token) > _MAX_TOKEN or not token.isascii():
            return None
        consent_id, _, signature = token.rpartition(".")
        if not consent_id or not hmac.compare_digest(signature, self._signature(consent_id)):
            return None
        return ConsentId(consent_id)

    def _signature(self, consent_id: str) -> str:
        signing = self._keyed.copy()
        signing.update(consent_id.encode())
        return base64.urlsafe_b64encode(signing.digest()[:_SIGNATURE_BYTES]).rstrip(b"=").decode()


class Standing(StrEnum):
    """How it stands with a link that confirms."""

    WAITING = "waiting"
    """The click is still to come."""
    CONFIRMED = "confirmed"
    """Granted, by this link or otherwise."""
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """The person said no since; a new request is needed."""


class Asked(Value, frozen=True, kw_only=True):
    """What a link asks, for who follows it."""

    pending: Consent
    standing: Standing
    expires_at: datetime


def judge(pending: Consent, held: Consent | None, within: timedelta, now: datetime) -> Standing:
    """How it stands with a link, `held` being the line that holds for its channel and topic."""
    if held is not None and held.state is ConsentState.GRANTED:
        return Standing.CONFIRMED
    if held is not None and held.state is ConsentState.DENIED:
        return Standing.WITHDRAWN
    return Standing.WAITING if now < pending.recorded_at + within else Standing.EXPIRED


class Confirmation:
    """Asks, and takes the answer."""

    def __init__(
        self,
        *,
        consents: ConsentStore,
        recipients: RecipientStore,
        drafter: Drafter,
        links: ConfirmationLinks,
        within: timedelta,
        clock: Clock,
    ) -> None:
        self._consents = consents
        self._recipients = recipients
        self._drafter = drafter
        self._links = links
        self._within = within
        self._clock = clock

    async def prepare(self, pending: Consent, live: bool, pointer: str) -> tuple[Consent, NewMessage]:
        """The line as it is to be kept, and the message that asks, in the person's language; nothing is stored.

        Raises InvalidRequest, with `pointer` for the line, where the person cannot be asked on that channel.
        """
        to = await self._known(pending, pointer)
        request = SendRequest(
            template=TEMPLATE,
            to=Recipient(id=pending.recipient_id, locale=None if to.locale else pending.locale),
            channels=(pending.channel,),
            data={
                "subscription": name_topic(pending.topic),
                "days": max(1, self._within // timedelta(days=1)),
                "confirm_url": self._links.url(pending.id),
            },
            metadata={"consent_id": pending.id},
        )
        try:
            draft = await self._drafter.draft(pending.service_id, live, request, pending.recorded_at)
        except InvalidRequest as error:
            told = "; ".join(problem.message for problem in error.problems) or error.message
            raise _refused(f"{pointer}/channel", "cannot_ask", f"Nobody can be asked to confirm: {told}") from error
        new = NewMessage(
            message=draft.message, deliveries=draft.deliveries, events=(events.message_accepted(draft.message),)
        )
        evidence: Mapping[str, JsonValue] = {**(pending.evidence or {}), ASKED_BY: draft.message.id}
        return replace(pending, evidence=evidence), new

    async def look(self, token: str) -> Asked:
        """What a link asks and how it stands; changes nothing. Raises NotFound for a token that is not ours."""
        pending = await self._follow(token)
        return self._asked(pending, await self._held(pending))

    async def confirm(self, token: str, evidence: Mapping[str, JsonValue]) -> Asked:
        """Grant what the link asks, once, if it still waits; how it stands afterwards. Raises NotFound.

        The grant keeps what was agreed to, when it was asked for and when it was confirmed. A repeat changes nothing.
        """
        pending = await self._follow(token)
        held = await self._held(pending)
        asked = self._asked(pending, held)
        if asked.standing is not Standing.WAITING:
            return asked
        held = await self._consents.confirm(pending, self._grant(pending, held or pending, evidence))
        return self._asked(pending, held)

    async def _follow(self, token: str) -> Consent:
        consent_id = self._links.read(token)
        if consent_id is None:
            raise NotFound("This link is not ours, or not whole.")
        return await self._consents.get_consent(consent_id)

    async def _held(self, pending: Consent) -> Consent | None:
        lines = await self._consents.current_consents(pending.service_id, pending.recipient_id)
        about: Sequence[Consent] = [
            line for line in lines if (line.channel, line.topic) == (pending.channel, pending.topic)
        ]
        return about[0] if about else None

    def _asked(self, pending: Consent, held: Consent | None) -> Asked:
        standing = judge(pending, held, self._within, self._clock.now())
        return Asked(pending=pending, standing=standing, expires_at=pending.recorded_at + self._within)

    def _grant(self, pending: Consent, held: Consent, evidence: Mapping[str, JsonValue]) -> Consent:
        now = self._clock.now()
        # After what holds now, also where the clock was set back since: of two lines the later one holds.
        at = max(now, held.at + _TICK)
        proof: dict[str, JsonValue] = {**evidence, "pending": pending.id}
        if pending.evidence and ASKED_BY in pending.evidence:
            proof[ASKED_BY] = pending.evidence[ASKED_BY]
        return replace(
            pending,
            id=ConsentId(make_id(ids.CONSENT, now)),
            state=ConsentState.GRANTED,
            evidence=proof,
            actor=RECIPIENT,
            at=at,
            recorded_at=at,
            requested_at=pending.at,
            confirmed_at=at,
        )

    async def _known(self, pending: Consent, pointer: str) -> Recipient:
        try:
            to = await self._recipients.get_recipient(pending.service_id, pending.recipient_id)
        except NotFound as error:
            told = "Keep the recipient first, with an address for this channel: the person is asked there to confirm."
            raise _refused(f"{pointer}/state", "unknown_recipient", told) from error
        if not to.addresses(pending.channel):
            told = f"The recipient has no address for {pending.channel.value}, where they would be asked to confirm."
            raise _refused(f"{pointer}/channel", "no_address", told)
        return to


def name_topic(topic: str) -> str:
    """A topic as a name for people: `product-news` is `Product news`."""
    return topic.replace("-", " ").replace("_", " ").capitalize()


def _refused(pointer: str, code: str, message: str) -> InvalidRequest:
    problem = FieldProblem(pointer=pointer, code=code, message=message)
    return InvalidRequest("The double opt-in cannot be started.", [problem])
