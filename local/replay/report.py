"""What a replay has to tell: `report.json` for programs, a summary for people."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from local.replay.figures import Figures
from local.replay.journey import Outcome
from local.replay.plan import Plan
from local.verify.invariants import Finding

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Report:
    """A replay that has come to its end."""

    plan: Plan
    outcome: Outcome
    figures: Figures
    findings: list[Finding]

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        states = Counter(order["status"] for order in self.outcome.orders.values())
        return {
            "input": asdict(self.plan.input),
            "orders": {
                "placed": len(self.outcome.orders),
                "completed": states["completed"],
                "cancelled": states["cancelled"],
                "rejected": dict(self._rejections()),
                "payment_due": states["payment_due"],
                "refused": len(self.outcome.refused),
            },
            "figures": asdict(self.figures),
            "invariants": [asdict(finding) for finding in self.findings],
        }

    def summary(self) -> Iterable[str]:
        """The report in lines of text, but for the invariants."""
        told = self.plan.input
        yield (
            f"File:     {told.rows} rows of {told.invoices} invoices; {sum(told.rejected_rows.values())} rows rejected "
            f"{_listed(told.rejected_rows)}"
        )
        yield (
            f"          {told.returns_skipped} returns skipped, {told.empty_invoices} invoices left empty, "
            f"{told.oversized_invoices} oversized; {told.merged_rows} rows merged, {told.folded_skus} SKUs folded, "
            f"{told.unknown_countries} orders of an unknown country"
        )
        states = Counter(order["status"] for order in self.outcome.orders.values())
        yield f"Orders:   {len(self.outcome.orders)} placed {_listed(states)}, {len(self.outcome.refused)} refused"
        if rejections := self._rejections():
            yield f"          rejected for {_listed(rejections)}"
        yield from self._revenue()
        shown = asdict(self.figures)
        yield "Figures:  " + ", ".join(
            f"{name} {'not measured' if value is None else value}" for name, value in shown.items()
        )
        for kind, lines in (("refused", self.outcome.refused), ("went wrong", self.outcome.complaints)):
            if lines:
                yield f"{len(lines)} {kind}; the first:"
                yield from (f"  {line}" for line in lines[:_SHOWN])

    def _rejections(self) -> Counter[str]:
        return Counter(order["reason"] for order in self.outcome.orders.values() if order["status"] == "rejected")

    def _revenue(self) -> Iterable[str]:
        completed = {invoice: order for invoice, order in self.outcome.orders.items() if order["status"] == "completed"}
        ours = sum(order["total"]["amount"] for order in completed.values())
        theirs = sum(planned.file_total for planned in self.plan.orders if planned.invoice in completed)
        everything = sum(planned.file_total for planned in self.plan.orders)
        yield (
            f"Revenue:  {_pounds(ours)} at catalogue prices, {_pounds(theirs)} at the file's own for the same orders "
            f"({_pounds(everything)} for all of them)"
        )


def _listed(counts: dict[str, int]) -> str:
    return "(" + (", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none") + ")"


def _pounds(pennies: int) -> str:
    return f"£{pennies // 100:,}.{pennies % 100:02}"
