"""The functions that every context has in the same shape: its queues, its dead letters, its sweep."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import azure.functions as func

from shared import metrics
from shared.context import BoundedContext
from shared.contracts import Contract
from shared.dispatch import Handler
from shared.failures import telling_no_more
from shared.ports import WireMessage
from shared.telemetry import log, log_event, span

# Service Bus messages are declared binary: the worker would take a JSON text's own fields for the message's metadata.
_BINARY = func.DataType.BINARY
_LATE = timedelta(minutes=5)


def drain_queue(
    blueprint: func.Blueprint,
    context: BoundedContext,
    queue: str,
    name: str,
    handlers: Mapping[type[Contract], Handler],
) -> None:
    """Register the function `name`, which hands each message of the queue to the handler of its contract."""
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
