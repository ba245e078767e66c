"""Heliograph, a messaging gateway: whether, when, in which language, on which channel and through which provider.

The house, from the ground up; a floor imports only from the floors below it (import-linter holds it so):

    errors · resources   why a caller must act; where templates and translations lie
    domain               pure values: recipients, messages, the delivery lifecycle, consent, decisions
    ports                the protocols that the core needs: Store, Wake, Provider, Clock
    settings             one frozen Settings from heliograph.toml and the environment
    policy               may this go, and when? one pure function
    localization         locales, gettext catalogs, formats, the translators' checks
    rendering            templates to e-mail, SMS and push
    storage              SQLite or PostgreSQL: engines, queue, people, tracking, notifying, reading, upkeep
    delivery             the use cases: accepting, dispatching, people, engagement, tracking, notifying, what_if,
                         upkeep
    work                 how work is woken and kept alive
    web                  the HTTP API and the pages
    bootstrap            the one place that names concrete stores, wakers and providers
    cli                  the commands

Beside it stands `providers`, the adapters; they see only domain, errors and ports.

The way of one message:

    POST /v1/messages   web checks who calls and what shape; accept checks template, data and addresses, then makes
                        ONE group-committed write of message, deliveries and event; 202 means that it is on disk
    claim, facts        due deliveries, each to exactly one worker under a lease, with what policy needs of them
    decide              send, hold, suppress or expire, with its trace
    render, route       one language for the whole message, versions pinned; the first fitting provider
    reserve             marks the delivery `sending`: a crash before it is safe, after it the answer is `unknown`
    send, record        one classified answer; attempts, statuses and events in one group-committed write
    call out            each event to the endpoints of its service that want it, put out in the write that told it
"""
