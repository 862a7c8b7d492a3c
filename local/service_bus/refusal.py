"""How the stand-in says no: AMQP error conditions, each with its status in replies of `$management` and `$cbs`."""

_CONDITIONS = {
    400: ("com.microsoft:argument-error", "amqp:not-allowed", "amqp:decode-error"),
    401: ("amqp:unauthorized-access",),
    404: ("amqp:not-found", "com.microsoft:message-not-found"),
    408: ("com.microsoft:timeout",),
    410: ("com.microsoft:message-lock-lost",),
    413: ("amqp:link:message-size-exceeded",),
    500: ("amqp:internal-error", "amqp:link:detach-forced"),
    501: ("amqp:not-implemented",),
    503: ("com.microsoft:server-busy",),
    507: ("amqp:resource-limit-exceeded",),
}
_STATUS = {condition: status for status, conditions in _CONDITIONS.items() for condition in conditions}
# What a fault that asks for a status answers with.
CONDITIONS = {status: conditions[0] for status, conditions in _CONDITIONS.items()}


class Refused(Exception):
    """The request is refused: `condition` is an AMQP error condition, `status` its HTTP-like number."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition, self.description, self.status = condition, description, _STATUS[condition]
