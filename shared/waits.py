"""What orders wait for, as orders tells it and operations hands it on."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from shared.contracts.orders import Status, Waiting
from shared.fields import Duration, Moment, MoneyView, Several, View, optional
from shared.paging import Page, PageParameters


class WaitView(View):
    """What an order waits for, in ids and times alone."""

    order_id: str
    waiting: Waiting | None = optional()
    """Left out once it is final."""
    since: Moment
    """When it came to this."""
    awaiting: list[Annotated[str, Field(pattern=r"^orderflow\.\w+\.\w+\.v\d+$")]]
    """The types of the commands whose replies are due."""
    chases: int
    """How often they were sent again."""
    chase_at: Moment | None = optional()
    """When they are sent again next."""
    give_up_at: Moment | None = optional()
    """When it is given up; left out where it never is."""
    shipment_id: str | None = optional()
    """Where the warehouse knows of it."""


class WaitPage(Page[WaitView]):
    """Some orders that wait, and where the next ones are."""


class StandingView(WaitView):
    """What an order waits for, how far it is and what it comes to."""

    status: Status
    total: MoneyView
    units: int
    """How many were ordered in all."""


class StandingPage(Page[StandingView]):
    """What was asked for, without what isn't known."""


class WaitsQuery(PageParameters):
    """What for, and for how long at least."""

    waiting: Several[Waiting] = ()
    """Parted by commas; anything without."""
    over: Duration = timedelta(0)
    """For so long or longer, as in ISO 8601: `PT10M`, `P1DT12H`."""
