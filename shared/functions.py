"""The functions that every context has in the same shape."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import azure.functions as func

from shared import metrics
from shared.audit_trail import report_audit
from shared.context import BoundedContext
from shared.contracts import Contract
from shared.dispatch import Handler
from shared.failures import telling_no_more
from shared.health import report_liveness, report_readiness
from shared.http import HttpFunctions
from shared.ports import WireMessage
from shared.replaying import report_parked
from shared.telemetry import log, log_event, span

# Service Bus messages are declared binary: the worker would take a JSON text's own fields for the message's metadata.
_BINARY = func.DataType.BINARY
_LATE = timedelta(minutes=5)

type Queues = Mapping[str, Mapping[type[Contract], Handler]]
"""What handles each contract, by the queue that it comes on."""


def context_blueprint(
    http: HttpFunctions,
    context: BoundedContext,
    queues: Queues | None = None,
    *sweeps: Callable[[], Awaitable[object]],
    sends_to: str | None = None,
) -> func.Blueprint:
    """Every function of the context: of its own those over HTTP and one for each queue, which hands messages to the
    handlers of their contracts; and what all contexts have: dead letters if it has a queue, the sweep of the outbox and
    these `sweeps`, audit, what is parked, and how it is. `sends_to` is what it sends to, unless that is its topic."""
    functions, queues = http.blueprint, queues or {}
    for queue, handlers in queues.items():
        drain_queue(functions, context, queue, handlers)
    if queues:
        drain_dead_letters(functions, context)
    sweep_every_minute(functions, context, *sweeps)
    report_audit(http, context)
    report_parked(http, context, {contract: queue for queue, handlers in queues.items() for contract in handlers})
    report_liveness(http, context.name)
    report_readiness(http, context, sends_to or f"{context.name}-events")
    return functions


def drain_queue(
    blueprint: func.Blueprint, context: BoundedContext, queue: str, handlers: Mapping[type[Contract], Handler]
) -> None:
    """Register `<context>_messages`, or of another queue than that of the context's name a function of the queue's,
    which hands each message to the handler of its contract."""
    name = f"{queue}_messages" if queue == context.name else queue.replace("-", "_")
    dispatcher = context.dispatcher(queue, handlers)

    async def handle(message: func.ServiceBusMessage) -> None:
        with telling_no_more():
            await dispatcher.handle(_wire(message))

    _register(blueprint, context, queue, name, handle)


def drain_dead_letters(blueprint: func.Blueprint, context: BoundedContext) -> None:
    """Register `<context>_dead`, which parks each message of the queue that dead letters are forwarded to."""
    queue = f"{context.name}-dead"
    dispatcher = context.dispatcher(queue, {})

    async def park(message: func.ServiceBusMessage) -> None:
        with telling_no_more():
            await dispatcher.park_dead_letter(_wire(message))

    _register(blueprint, context, queue, f"{context.name}_dead", park)


def sweep_every_minute(
    blueprint: func.Blueprint, context: BoundedContext, *others: Callable[[], Awaitable[object]]
) -> None:
    """Register the timer `<context>_sweep`, by default once a minute: the outbox, and whatever else a context sweeps,
    each whatever becomes of the others. While none has succeeded for five minutes, each run logs `sweep_late`."""
    name = f"{context.name}_sweep"
    now = context.system.now
    succeeded_at: datetime | None = None

    async def sweep(timer: func.TimerRequest) -> None:
        nonlocal succeeded_at
        began = now()
        succeeded_at = succeeded_at or began
        with span(name, function=name):
            sweeps = (context.outbox.sweep, *others)
            results = await asyncio.gather(*(each() for each in sweeps), return_exceptions=True)
            failures = [result for result in results if isinstance(result, BaseException)]
            if not failures:
                succeeded_at = began
            elif now() - succeeded_at > _LATE:
                log_event("sweep_late", "the sweep of %s has not succeeded since %s", context.name, succeeded_at)
            metrics.SWEEP_AGE.record((now() - succeeded_at).total_seconds(), function=name)
            for other in failures[1:]:
                log.error("another part of the sweep failed, too", exc_info=other)
            if failures:
                with telling_no_more():
                    raise failures[0]

    timer = blueprint.timer_trigger(
        arg_name="timer", schedule="%SWEEP_SCHEDULE%", run_on_startup=False, use_monitor=False
    )
    blueprint.function_name(name)(timer(sweep))


def _register(
    blueprint: func.Blueprint,
    context: BoundedContext,
    queue: str,
    name: str,
    function: Callable[[func.ServiceBusMessage], Awaitable[None]],
) -> None:
    trigger = blueprint.service_bus_queue_trigger(
        arg_name="message", queue_name=queue, connection=context.connection, data_type=_BINARY
    )
    blueprint.function_name(name)(trigger(function))


def _wire(message: func.ServiceBusMessage) -> WireMessage:
    return WireMessage(
        id=message.message_id or "",
        body=message.get_body(),
        content_type=message.content_type or "",
        correlation_id=message.correlation_id or "",
        properties=message.application_properties,
    )
