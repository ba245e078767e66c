"""What is done with messages: accepted, foretold, and steered once they are there."""

from gateway.bootstrap.parts import Parts
from gateway.delivery.accepting.accept import Acceptor
from gateway.delivery.tracking.recalling import Recaller
from gateway.delivery.tracking.receipts import Tracker
from gateway.delivery.upkeep.steering import Steering
from gateway.delivery.what_if.explain import Explainer
from gateway.delivery.what_if.preview import Previewer


def make_acceptor(parts: Parts) -> Acceptor:
    """Takes messages in."""
    return Acceptor(
        store=parts.store.accepting,
        drafter=parts.drafter,
        admission=parts.admission,
        wake=parts.bells.accepted,
        clock=parts.clock,
        metrics=parts.metrics,
    )


def make_explainer(parts: Parts) -> Explainer:
    """Says what would become of a message."""
    return Explainer(
        store=parts.store.dispatch,
        drafter=parts.drafter,
        composer=parts.composer,
        routing=parts.routing,
        terms=parts.terms,
        addressing=parts.addressing,
        clock=parts.clock,
    )


def make_previewer(parts: Parts) -> Previewer:
    """Shows what a template becomes."""
    return Previewer(
        renderer=parts.renderer,
        composer=parts.composer,
        clock=parts.clock,
        default_timezone=parts.settings.policy.default_timezone,
    )


def make_steering(parts: Parts, tracker: Tracker) -> Steering:
    """Cancels and tries again."""
    return Steering(
        store=parts.store.steering,
        log=parts.store.log,
        audit=parts.store.audit,
        recaller=Recaller(providers=parts.providers, tracker=tracker),
        wake=parts.bells.accepted,
        clock=parts.clock,
    )
