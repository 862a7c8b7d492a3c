"""Service Bus functions that tell in the log what they were given."""

import asyncio
import json
import logging
import typing

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def _told(message: func.ServiceBusMessage) -> str:
    return message.get_body().decode()


@app.service_bus_queue_trigger(arg_name="msg", queue_name="%WHOLE_QUEUE%", connection="BUS", data_type="binary")
async def whole(msg: func.ServiceBusMessage, context: func.Context) -> None:
    seen: dict[str, typing.Any] = {
        "body": msg.get_body().decode(),
        "message_id": msg.message_id,
        "correlation_id": msg.correlation_id,
        "content_type": msg.content_type,
        "subject": msg.subject,
        "delivery_count": msg.delivery_count,
        "properties": msg.application_properties,
        "enqueued": str(msg.enqueued_time_utc),
        "zone": str(msg.enqueued_time_utc and msg.enqueued_time_utc.tzinfo),
        "lock_token": msg.lock_token,
        "sequence_number": msg.sequence_number,
        "trace_parent": context.trace_context.trace_parent,
    }
    logging.info("given", extra={"seen": seen})


@app.service_bus_queue_trigger(arg_name="msg", queue_name="failing", connection="BUS", data_type="binary")
async def failing(msg: func.ServiceBusMessage) -> None:
    logging.info("failing %s", msg.delivery_count)
    raise ValueError(_told(msg))


@app.service_bus_queue_trigger(arg_name="msg", queue_name="short-locks", connection="BUS", data_type="binary")
async def short_locks(msg: func.ServiceBusMessage) -> None:
    await _work("short", msg)


@app.service_bus_queue_trigger(arg_name="msg", queue_name="long-locks", connection="BUS", data_type="binary")
async def long_locks(msg: func.ServiceBusMessage) -> None:
    await _work("long", msg)


async def _work(name: str, msg: func.ServiceBusMessage) -> None:
    logging.info("%s begins", name)
    await asyncio.sleep(float(_told(msg)))
    logging.info("%s ends", name)


@app.service_bus_topic_trigger(
    arg_name="msg", topic_name="news", subscription_name="reader", connection="BUS", data_type="binary"
)
def in_a_thread(msg: func.ServiceBusMessage) -> None:
    logging.info("news %s", json.loads(_told(msg)))
