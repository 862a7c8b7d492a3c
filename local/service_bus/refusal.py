"""How the stand-in says no: AMQP error conditions, each with its status in replies of `$management` and `$cbs`."""

from __future__ import annotations

_STATUS = {
    "amqp:decode-error": 400,
    "amqp:not-allowed": 400,
    "com.microsoft:argument-error": 400,
    "amqp:unauthorized-access": 401,
    "amqp:not-found": 404,
    "com.microsoft:message-not-found": 404,
    "com.microsoft:timeout": 408,
    "com.microsoft:message-lock-lost": 410,
    "amqp:link:message-size-exceeded": 413,
    "amqp:internal-error": 500,
    "amqp:not-implemented": 501,
    "com.microsoft:server-busy": 503,
    "amqp:resource-limit-exceeded": 507,
}
# What a fault that asks for a status answers with.
CONDITIONS = {_STATUS[condition]: condition for condition in _STATUS if condition != "amqp:not-allowed"}
CONDITIONS |= {400: "com.microsoft:argument-error", 404: "amqp:not-found"}


class Refused(Exception):
    """The request is refused: `condition` is an AMQP error condition, `status` its HTTP-like number."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition, self.description, self.status = condition, description, _STATUS[condition]
