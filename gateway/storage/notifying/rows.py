"""Rows of endpoints and notices, column for column in the order of `tables`."""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.domain.ids import EndpointId, EventId, MessageId, ServiceId
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.webhooks import DisabledReason, Endpoint, Failure, Notice, Secret
from gateway.storage.columns import instant_or_none, micros_or_none
from gateway.storage.documents import dump
from gateway.storage.engines.statements import Row
from gateway.storage.notifying.outbox import filter_of

_load_secrets: Final = msgspec.json.Decoder(tuple[Secret, ...]).decode
_load_failure: Final = msgspec.json.Decoder(Failure).decode


def endpoint_row(endpoint: Endpoint) -> Row:
    """The row of an endpoint."""
    return (
        endpoint.id,
        endpoint.service_id,
        endpoint.url,
        endpoint.description,
        dump(endpoint.filters),
        dump(endpoint.secrets),
        endpoint.enabled,
        endpoint.disabled_reason,
        to_micros(endpoint.created_at),
        to_micros(endpoint.changed_at),
        endpoint.failures,
        micros_or_none(endpoint.failing_since),
        micros_or_none(endpoint.not_before),
        None if endpoint.failure is None else dump(endpoint.failure),
    )


def endpoint_of(row: Row) -> Endpoint:
    """The endpoint of a row."""
    (
        endpoint_id, service_id, url, description, filters, secrets, enabled, disabled_reason, created_at, changed_at,
        failures, failing_since, not_before, failure,
    ) = row  # fmt: skip
    return Endpoint(
        id=EndpointId(endpoint_id),
        service_id=ServiceId(service_id),
        url=url,
        description=description,
        filters=filter_of(filters),
        secrets=_load_secrets(secrets),
        enabled=bool(enabled),
        disabled_reason=None if disabled_reason is None else DisabledReason(disabled_reason),
        created_at=from_micros(created_at),
        changed_at=from_micros(changed_at),
        failures=failures,
        failing_since=instant_or_none(failing_since),
        not_before=instant_or_none(not_before),
        failure=None if failure is None else _load_failure(failure),
    )


def notices_of(endpoint_id: str, rows: Sequence[Row]) -> list[Notice]:
    """The notices of one endpoint, each row with event, message, calls begun and instant of putting out."""
    return [
        Notice(
            endpoint_id=EndpointId(endpoint_id),
            event_id=EventId(event_id),
            message_id=MessageId(message_id),
            attempts=attempts,
            created_at=from_micros(created_at),
        )
        for event_id, message_id, attempts, created_at in rows
    ]
