"""What a replay has to tell: `report.json` for programs, a summary for people."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from local.replay.figures import Figures
from local.replay.journey import Load, Outcome
from local.replay.plan import Plan
from local.verify.invariants import Finding

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Report:
    """A replay that has come to its end."""

    plan: Plan
    load: Load
    outcome: Outcome
    figures: Figures
    findings: list[Finding]

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        states = self._states()
        return {
            "input": asdict(self.plan.input),
            "currency": self.plan.currency,
            "load": str(self.load),
            "orders": {
                "placed": len(self.outcome.placed),
                "placed_earlier": len(self.outcome.earlier),
                "completed": states["completed"],
                "cancelled": states["cancelled"],
                "rejected": dict(self._rejections()),
                "payment_due": states["payment_due"],
                "refused": dict(self.outcome.refused),
            },
            "failures": self.outcome.failures,
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
            f"          {told.returns_skipped} returns and {told.adjustments} adjustments set aside, "
            f"{told.empty_invoices} invoices left empty, {told.oversized_invoices} oversized"
        )
        yield (
            f"          {told.merged_rows} rows merged, {told.folded_skus} SKUs folded, "
            f"{told.unknown_countries} orders of an unknown country"
        )
        placed, earlier = len(self.outcome.placed), len(self.outcome.earlier)
        yield (
            f"Orders:   {placed} placed, {self.load}"
            + (f", and {earlier} that had been placed earlier" if earlier else "")
            + f" {_listed(self._states())}"
        )
        if self.outcome.refused:
            yield f"          {self.outcome.refused.total()} refused {_listed(self.outcome.refused)}"
        if rejections := self._rejections():
            yield f"          rejected for {_listed(rejections)}"
        yield "Figures:  " + ", ".join(
            f"{name} {'not measured' if value is None else value}" for name, value in asdict(self.figures).items()
        )
        for kind, lines in (("failed", self.outcome.failures), ("went wrong", self.outcome.complaints)):
            if lines:
                yield f"{len(lines)} {kind}; the first:"
                yield from (f"  {line}" for line in lines[:_SHOWN])

    def _states(self) -> Counter[str]:
        return Counter(order["status"] for order in self.outcome.orders.values())

    def _rejections(self) -> Counter[str]:
        return Counter(order["reason"] for order in self.outcome.orders.values() if order["status"] == "rejected")


def _listed(counts: dict[str, int]) -> str:
    return "(" + (", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none") + ")"
