"""Who calls, and what they may do: every HTTP function's declaration names the roles that may call it."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Role(StrEnum):
    """What somebody is to the shop, strongest last. A guest is a customer whose subject the shop made up; `operations`
    is the context of that name, which asks the others."""

    CUSTOMER = "customer"
    WAREHOUSE = "warehouse"
    OPERATIONS = "operations"
    SUPPORT = "support"
    ADMIN = "admin"


EVERYBODY = frozenset(Role)
"""Every role; a token is needed all the same."""
OPEN: frozenset[Role] = frozenset()
"""What needs no token: it tells nobody's data, and changes nothing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token speaks for: the subject that its issuer knows, and their roles."""

    subject: str
    roles: frozenset[Role]

    def role_among(self, allowed: Collection[Role]) -> Role | None:
        """As what the caller acts where these roles are allowed: the strongest of theirs; None where none is."""
        return next((role for role in reversed(Role) if role in self.roles and role in allowed), None)


class Authenticator(Protocol):
    """Whoever can tell a good token from a bad one."""

    async def authenticate(self, token: str) -> Caller:
        """Whom the token speaks for. Raises InvalidToken, or Unavailable where that can't be told now."""
        ...
