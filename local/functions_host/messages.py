"""From a received Service Bus message to what the host hands a function: its body, its properties as trigger
metadata."""

import base64
import uuid
from datetime import datetime
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from local.functions_host import worker
from local.functions_host.worker import Value


def body_of(message: ServiceBusReceivedMessage) -> Value:
    """The body. ValueError if it isn't of AMQP's kind `data`."""
    if message.body_type is not AmqpMessageBodyType.DATA:
        raise ValueError(f"a body of the kind {message.body_type} isn't supported by this host")
    return worker.data(b"".join(message.body))


def properties_of(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    """The application properties, as JSON can hold them."""
    # The SDK leaves strings as bytes, in which they can't be told from binary values.
    return {str(_plain(name)): _plain(value) for name, value in (message.application_properties or {}).items()}


def metadata_of(message: ServiceBusReceivedMessage, properties: dict[str, Any]) -> dict[str, Value]:
    """What the host tells the worker about a message; properties that are absent are left out."""
    texts: dict[str, object] = {
        "MessageId": message.message_id,
        "ContentType": message.content_type,
        "CorrelationId": message.correlation_id,
        "LockToken": message.lock_token,
        "To": message.to,
        "ReplyTo": message.reply_to,
        "Subject": message.subject,
        "Label": message.subject,
        "SessionId": message.session_id,
        "PartitionKey": message.partition_key,
        "DeadLetterSource": message.dead_letter_source,
    }
    values: dict[str, object] = {
        # The library for .NET, which the host uses, counts this delivery too.
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "SequenceNumber": message.sequence_number,
        "ApplicationProperties": properties,
        "UserProperties": properties,
        "EnqueuedTimeUtc": _naive(message.enqueued_time_utc),
        "ExpiresAtUtc": _naive(message.expires_at_utc),
    }
    metadata = {name: worker.text(str(value)) for name, value in texts.items() if value is not None}
    return metadata | {name: worker.json_of(value) for name, value in values.items() if value is not None}


def _naive(time: datetime | None) -> str | None:
    return time.replace(tzinfo=None).isoformat() if time else None


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return str(value) if isinstance(value, uuid.UUID) else value
