"""One Service Bus function, under the limits of host.json."""

import asyncio
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
at_once = most = 0


@app.service_bus_queue_trigger(arg_name="msg", queue_name="limited", connection="BUS", data_type="binary")
async def limited(msg: func.ServiceBusMessage) -> None:
    global at_once, most  # noqa: PLW0603
    at_once += 1
    most = max(most, at_once)
    logging.info("begins")
    await asyncio.sleep(float(msg.get_body()) if msg.delivery_count == 1 else 0)
    at_once -= 1
    logging.info("ended, at most %d at once, delivery %s", most, msg.delivery_count)
