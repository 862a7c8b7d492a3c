"""Settings from the environment, validated at start, every fault named at once.

A connection is written as Azure Functions writes it. In Azure, `COSMOS_ORDERS__accountEndpoint` or
`SERVICEBUS_ORDERS__fullyQualifiedNamespace`, with `__clientId` of the app's user-assigned identity; for a stand-in or
an emulator on this machine, the plain name with a connection string. Every time constant is a setting, in seconds.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from shared.authentication import TokenRules
from shared.currencies import shop_currency
from shared.dispatch import RetryTimes
from shared.errors import SettingsError
from shared.outbox import OutboxTimes


def _seconds(value: object) -> object:
    return timedelta(seconds=float(value)) if isinstance(value, str) else value


Seconds = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]
"""A duration above zero, written as a number of seconds."""
SecondsOrOff = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]
"""The same, or 0, which switches off what it is the time of."""

_REFERENCE = re.compile(r"\s*@Microsoft\.(KeyVault|AppConfiguration)\(", re.IGNORECASE)


def _resolved(value: object) -> object:
    """The value, unless Azure handed on the reference itself, which it does where it can't resolve it."""
    if isinstance(value, str) and _REFERENCE.match(value):
        raise ValueError(
            "is a reference that was not resolved: see that the app's identity may read what it names (of a secret in "
            "Key Vault, by the role Key Vault Secrets User), and that it is there"
        )
    return value


_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}


def is_encrypted_or_local(address: str) -> bool:
    """Whether it is an https address, or an http one on this machine."""
    try:
        parts = urlsplit(address)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (scheme == "https" or (scheme == "http" and host in _LOCAL_HOSTS))


def _issuer(address: str) -> str:
    """As it is: a slash at its end is part of the name that tokens give."""
    if not re.fullmatch(r"[!-~]+", address) or set(address) & set("?#@") or not is_encrypted_or_local(address):
        raise ValueError(
            "should be the issuer's address just as its tokens name it (iss): https://…, or http://… on this machine, "
            "without a query, fragment or user"
        )
    return address


class Connection(BaseModel):
    """Where a service is, and how to prove who asks: by identity, or on this machine by a connection string."""

    model_config = ConfigDict(frozen=True)

    endpoint: str
    """Of Cosmos DB the account's URL; of Service Bus the namespace's host name."""
    client_id: str | None = None
    connection_string: str | None = Field(default=None, repr=False)

    @property
    def key(self) -> str:
        """The account key of a Cosmos DB connection string."""
        return _parts(self.connection_string or "").get("AccountKey", "")

    @classmethod
    def read(cls, environment: Mapping[str, str], name: str, endpoint: str) -> Self:
        """Raises ValueError with what is wrong and how to mend it."""
        for variable in (name, f"{name}__{endpoint}", f"{name}__clientId"):
            try:
                _resolved(environment.get(variable))
            except ValueError as fault:
                raise ValueError(f"{variable}: {fault}") from None
        if text := environment.get(name):
            parts = _parts(text)
            address = parts.get("AccountEndpoint") or parts.get("Endpoint") or ""
            if urlsplit(address).hostname not in _LOCAL_HOSTS:
                raise ValueError(
                    f"{name}: a key may open a service on this machine alone; set {name}__{endpoint} instead"
                )
            return cls(endpoint=address, connection_string=text)
        if namespace := environment.get(f"{name}__{endpoint}"):
            return cls(endpoint=namespace, client_id=environment.get(f"{name}__clientId"))
        raise ValueError(f"{name}__{endpoint}: is missing (on this machine, {name} with a connection string will do)")


def _parts(connection_string: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in connection_string.split(";") if part)
    return {name: value for name, _, value in pairs}


class Settings(BaseModel):
    """What every context needs. A context adds its own in a subclass; a field's alias is the variable's name."""

    model_config = ConfigDict(frozen=True)

    context: ClassVar[str]

    cosmos: Connection
    service_bus: Connection
    database: str = Field("orderflow", alias="COSMOS_DATABASE", min_length=1)
    """The database."""
    currency: Annotated[str, AfterValidator(shop_currency)] = Field("GBP", alias="SHOP_CURRENCY")
    """The one currency of prices and orders, one of ISO 4217 with minor units."""
    issuer: Annotated[str, AfterValidator(_issuer)] = Field(alias="IDENTITY_ISSUER")
    """Who issues the callers' tokens: an OpenID issuer's address, just as its tokens name it (`iss`)."""
    audience: str = Field(alias="IDENTITY_AUDIENCE", min_length=1)
    """Whom the tokens must be for (`aud`)."""
    subject_claim: str = Field("sub", alias="IDENTITY_SUBJECT_CLAIM", min_length=1)
    """The claim that names the caller; a customer's is their `customerId`."""
    roles_claim: str = Field("roles", alias="IDENTITY_ROLES_CLAIM", min_length=1)
    """The claim that names the caller's roles, as a text or a list of texts."""
    cosmos_timeout: Seconds = Field(timedelta(seconds=5), alias="COSMOS_TIMEOUT_SECONDS")
    """The longest that a call of Cosmos DB may take, the SDK's retries included."""
    service_bus_timeout: Seconds = Field(timedelta(seconds=3), alias="SERVICEBUS_TIMEOUT_SECONDS")
    """The longest that sending may take."""
    open_timeout: Seconds = Field(timedelta(seconds=15), alias="OPEN_TIMEOUT_SECONDS")
    """The longest that opening a connection may take; it goes on when those who wait for it give up."""
    outbox_grace: Seconds = Field(OutboxTimes().grace, alias="OUTBOX_GRACE_SECONDS")
    """How old an outbox document must be for the sweep to publish it."""
    publish_pause: Seconds = Field(OutboxTimes().pause, alias="PUBLISH_PAUSE_SECONDS")
    """After a publishing that failed: how long only the sweep tries."""
    retry_delay: Seconds = Field(RetryTimes().delay, alias="RETRY_DELAY_SECONDS")
    """The first delay of *later*; each further one is twice as long."""
    retry_longest_delay: Seconds = Field(RetryTimes().longest_delay, alias="RETRY_LONGEST_DELAY_SECONDS")
    """The longest delay of *later*."""
    retry_give_up: Seconds = Field(RetryTimes().give_up, alias="RETRY_GIVE_UP_SECONDS")
    """How long a message goes *later* before it is parked."""
    retry_hold: Seconds = Field(RetryTimes().hold, alias="RETRY_HOLD_SECONDS")
    """How long a function tries to send a message *later* before it raises; keep it below half a lock."""
    parked: Seconds = Field(RetryTimes().parked, alias="PARKED_SECONDS")
    """How long a parked message is kept after it came last (90 days); it may hold an address."""
    audited: Seconds = Field(OutboxTimes().audited, alias="AUDIT_SECONDS")
    """How long an entry of the audit is kept, of who of the staff changed what (a year)."""

    _references = field_validator("*", mode="before")(_resolved)

    @property
    def token_rules(self) -> TokenRules:
        """The share of who checks tokens."""
        return TokenRules(self.issuer, self.audience, self.subject_claim, self.roles_claim)

    @property
    def outbox_times(self) -> OutboxTimes:
        """The outbox's share."""
        return OutboxTimes(self.outbox_grace, self.publish_pause, self.parked, self.audited)

    @property
    def retry_times(self) -> RetryTimes:
        """The dispatcher's share."""
        return RetryTimes(
            self.retry_delay, self.retry_longest_delay, self.retry_give_up, self.retry_hold, parked=self.parked
        )

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """The settings of one context. Raises SettingsError with every fault."""
        faults: list[str] = []
        values: dict[str, Any] = {}
        for field, prefix, endpoint in (
            ("cosmos", "COSMOS", "accountEndpoint"),
            ("service_bus", "SERVICEBUS", "fullyQualifiedNamespace"),
        ):
            try:
                values[field] = Connection.read(environment, f"{prefix}_{cls.context.upper()}", endpoint)
            except ValueError as fault:
                faults.append(str(fault))
                values[field] = Connection(endpoint="")
        names = [field.alias for field in cls.model_fields.values() if field.alias]
        values |= {name: environment[name] for name in names if environment.get(name)}
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            missing = {"missing": "is missing: docs/settings.md says what to set"}
            faults += [
                f"{each['loc'][0]}: {missing.get(each['type'], each['msg'])}"
                for each in error.errors(include_input=False)
            ]
        if faults:
            raise SettingsError(faults)
        return settings
