"""What is done for people: their word taken and kept, and all that is held of them shown."""

from gateway.bootstrap.parts import Parts
from gateway.delivery.people.confirmation import Confirmation
from gateway.delivery.people.consents import Recorder
from gateway.delivery.people.export import Exporter
from gateway.delivery.people.inbound import InboundDesk
from gateway.delivery.people.unsubscribe import Unsubscriber
from gateway.policy.stopwords.lexicon import load_lexicon


def make_confirmation(parts: Parts) -> Confirmation:
    """Asks whether a person said it."""
    return Confirmation(
        consents=parts.store.consents,
        recipients=parts.store.recipients,
        drafter=parts.drafter,
        links=parts.confirmations,
        within=parts.settings.consents.confirm_within,
        clock=parts.clock,
    )


def make_recorder(parts: Parts, confirmation: Confirmation) -> Recorder:
    """Keeps what people said."""
    return Recorder(
        consents=parts.store.consents,
        confirmation=confirmation,
        pseudonyms=parts.store.pseudonyms,
        wake=parts.bells.accepted,
        clock=parts.clock,
    )


def make_unsubscriber(parts: Parts) -> Unsubscriber:
    """Does what the links in messages promise."""
    store = parts.store
    return Unsubscriber(
        links=parts.links,
        log=store.log,
        consents=store.consents,
        suppressions=store.suppressions,
        recipients=store.recipients,
        readers=store.readers,
        default_timezone=parts.settings.policy.default_timezone,
        templates=parts.templates,
        clock=parts.clock,
    )


def make_inbound_desk(parts: Parts) -> InboundDesk:
    """Takes in the texts that people send."""
    return InboundDesk(
        store=parts.store.inbound,
        services=parts.store.services,
        senders=parts.senders,
        drafter=parts.drafter,
        lexicon=load_lexicon(),
        covers=parts.settings.policy.stop_covers,
        wake=parts.bells.accepted,
        clock=parts.clock,
        metrics=parts.metrics,
    )


def make_exporter(parts: Parts) -> Exporter:
    """Gathers all that is held of a person."""
    store = parts.store
    return Exporter(
        belongings=store.belongings,
        recipients=store.recipients,
        consents=store.consents,
        suppressions=store.suppressions,
        log=store.log,
        engagements=store.engagements,
        audit=store.audit,
        pseudonyms=store.pseudonyms,
        clock=parts.clock,
    )
