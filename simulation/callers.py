"""Who calls: the customers, the guests and the staff, and tokens that say so in plain text."""

from shared.access import Caller, Role
from shared.errors import InvalidToken

ADMIN = Caller("admin", frozenset({Role.ADMIN}))
SUPPORT = Caller("support", frozenset({Role.SUPPORT}))
WAREHOUSE = Caller("warehouse", frozenset({Role.WAREHOUSE}))
OPERATIONS = Caller("operations", frozenset({Role.OPERATIONS}))
GUEST = Caller("guest-1", frozenset({Role.CUSTOMER}))


def customer(subject: str) -> Caller:
    """A customer, or with a subject that begins `guest-` a guest."""
    return Caller(subject, frozenset({Role.CUSTOMER}))


def token(caller: Caller) -> str:
    """What `PlainTokens` takes for the caller's."""
    return " ".join((*sorted(caller.roles), f"#{caller.subject}"))


class PlainTokens:
    """shared.access.Authenticator of tokens that say in plain text whom they speak for: what the tests of the check of
    real ones prove needs no signing in all others."""

    async def authenticate(self, token: str) -> Caller:
        roles, found, subject = token.partition("#")
        if not found:
            raise InvalidToken("the token is none of the tests'")
        return Caller(subject, frozenset(map(Role, roles.split())))
