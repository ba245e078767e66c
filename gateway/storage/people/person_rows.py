"""Rows of what is known of people and addresses, to and from domain values, column for column."""

from datetime import datetime
from typing import Final

from gateway.domain.ids import ConsentId, RecipientId, ServiceId, SuppressionId
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.preferences import Consent, ConsentState, Suppression, SuppressionReason
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel, Recipient, comparable
from gateway.storage.columns import instant_or_none, micros_or_none
from gateway.storage.documents import dump, load, recipient_of
from gateway.storage.engines.statements import Row
from gateway.storage.tables import consents

_OF_THE_CHAIN: Final = frozenset(
    {"subject", "previous_hash", "hash", "position", "wording_digest", "evidence_salt", "evidence_digest"}
)
CONSENT_COLUMNS: Final = ",".join(
    f't."{column.name}"' for column in consents.columns if column.name not in _OF_THE_CHAIN
)
"""What `consent_of` reads of a row of `consents t`, for those whom the chain does not concern."""


def recipient_row(service_id: ServiceId, recipient: Recipient, now: datetime) -> Row:
    """The row of a person who is kept from now on."""
    return (
        service_id,
        recipient.id,
        recipient.email,
        recipient.phone,
        dump(recipient.push),
        recipient.locale,
        recipient.timezone,
        recipient.country,
        recipient.region,
        dump(recipient.attributes),
        to_micros(now),
        to_micros(now),
    )


def stored_recipient_of(row: Row) -> Recipient:
    """The person of a row of `recipients`."""
    (
        _service_id,
        recipient_id,
        email,
        phone,
        push,
        locale,
        timezone,
        country,
        region,
        attributes,
        *_times,
        preferences,
    ) = row
    return recipient_of(
        {
            "id": recipient_id,
            "email": email,
            "phone": phone,
            "push": load(push),
            "locale": locale,
            "timezone": timezone,
            "country": country,
            "region": region,
            "attributes": load(attributes),
            "preferences": None if preferences is None else load(preferences),
        }
    )


def consent_row(consent: Consent) -> Row:
    """The row of a line of the consent history, without the number that its table gives it."""
    return (
        consent.id,
        consent.service_id,
        consent.recipient_id,
        consent.channel.value,
        consent.topic,
        consent.state.value,
        consent.source,
        consent.wording,
        consent.locale,
        None if consent.evidence is None else dump(consent.evidence),
        to_micros(consent.at),
        to_micros(consent.recorded_at),
        consent.wording_version,
        consent.actor,
        micros_or_none(consent.requested_at),
        micros_or_none(consent.confirmed_at),
    )


def consent_of(row: Row) -> Consent:
    """The line of the consent history of a row."""
    (
        _seq, consent_id, service_id, recipient_id, channel, topic, state, source, wording, locale, evidence, at,
        recorded_at, wording_version, actor, requested_at, confirmed_at, *_chain
    ) = row  # fmt: skip
    return Consent(
        id=ConsentId(consent_id),
        service_id=ServiceId(service_id),
        recipient_id=RecipientId(recipient_id),
        channel=Channel(channel),
        topic=topic,
        state=ConsentState(state),
        source=source,
        wording=wording,
        wording_version=wording_version,
        locale=locale,
        evidence=None if evidence is None else load(evidence),
        actor=actor,
        at=from_micros(at),
        recorded_at=from_micros(recorded_at),
        requested_at=instant_or_none(requested_at),
        confirmed_at=instant_or_none(confirmed_at),
    )


def suppression_row(suppression: Suppression, pseudonyms: Pseudonyms) -> Row:
    """The row of a suppression whose address can be read; it is kept in its comparable spelling."""
    address = comparable(suppression.channel, suppression.address or "")
    return (
        suppression.id,
        suppression.channel.value,
        address,
        suppression.reason.value,
        suppression.scope,
        None if suppression.evidence is None else dump(suppression.evidence),
        to_micros(suppression.created_at),
        micros_or_none(suppression.expires_at),
        pseudonyms.of_address(suppression.channel.value, address),
    )


def suppression_of(row: Row) -> Suppression:
    """The suppression of a row."""
    suppression_id, channel, address, reason, scope, evidence, created_at, expires_at, *_hash = row
    return Suppression(
        id=SuppressionId(suppression_id),
        channel=Channel(channel),
        address=address,
        reason=SuppressionReason(reason),
        scope=scope,
        evidence=None if evidence is None else load(evidence),
        created_at=from_micros(created_at),
        expires_at=instant_or_none(expires_at),
    )
