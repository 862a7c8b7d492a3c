"""`token` of the command line."""

from typing import Annotated

import typer

from local.identity.issuer import GUEST, LIFETIME, Caller, Role, mint
from local.verify.command import DEFAULT_STATE, State

_LONGEST = 200
_DAY = 86_400


def token(
    role: Annotated[Role, typer.Option(help="What the caller may do.")],
    customer: Annotated[str | None, typer.Option(metavar="ID", help="The customer who calls.")] = None,
    guest: Annotated[str | None, typer.Option(metavar="NAME", help="The guest who calls.")] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="NAME", help="The member of staff who calls.", show_default="the role")
    ] = None,
    expires: Annotated[
        int, typer.Option(min=-_DAY, max=7 * _DAY, help="Good for so many seconds; from 0 down it has expired.")
    ] = LIFETIME,
    state: State = DEFAULT_STATE,
) -> None:
    """Print a token of the stack's issuer, for `Authorization: Bearer`, and nothing else."""
    typer.echo(mint(state, Caller(role, _subject(role, customer, guest, subject)), expires))


def _subject(role: Role, customer: str | None, guest: str | None, staff: str | None) -> str:
    """Whom the token is to speak for; BadParameter where the options don't say it in the one way that there is."""
    if role is not Role.CUSTOMER:
        for option, name in (("--customer", customer), ("--guest", guest)):
            if name is not None:
                raise typer.BadParameter(f"is for --role customer; name {role} staff with --subject", param_hint=option)
        return _named("--subject", role.value if staff is None else staff)
    if staff is not None:
        raise typer.BadParameter("is for staff; name a customer with --customer or --guest", param_hint="--subject")
    if customer is not None and guest is None:
        if customer.startswith(GUEST):
            raise typer.BadParameter(
                f"{GUEST}… is a guest: say --guest {customer[len(GUEST) :]}", param_hint="--customer"
            )
        return _named("--customer", customer)
    if guest is not None and customer is None:
        return GUEST + _named("--guest", guest, _LONGEST - len(GUEST))
    raise typer.BadParameter("customer needs one of --customer ID and --guest NAME", param_hint="--role")


def _named(option: str, name: str, longest: int = _LONGEST) -> str:
    if not 1 <= len(name) <= longest or not name.isprintable():
        raise typer.BadParameter(f"takes 1 to {longest} printable characters", param_hint=option)
    return name
