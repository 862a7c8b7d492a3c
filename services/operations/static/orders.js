// The newest orders, as they move from status to status.

import { orders } from "./api.js";
import { STATUSES, age, element, money, number, orderLink, reason, table } from "./elements.js";

const SHOWN = 50;

export const title = () => "Orders";

export async function read({ filters }) {
  return { page: await orders(Object.hasOwn(STATUSES, filters.status) ? filters.status : "", SHOWN) };
}

export function show({ page }, { filters }) {
  return [
    filter(filters.status),
    table(`The newest ${SHOWN}`, [
      { head: "Order", cell: (each) => orderLink(each.orderId) },
      { head: "Status", cell: (each) => status(each) },
      { head: "Lines", kind: "number", cell: (each) => number(each.lines.length) },
      { head: "Total", kind: "number", cell: (each) => money(each.total) },
      { head: "Placed", kind: "number", cell: (each) => age(each.placedAt) },
    ], page.value, "There are none."),
  ];
}

const before = new Map();

/** An order's status, which stands out for a moment when it has changed. */
function status({ orderId, status, ...of }) {
  const hasMoved = (before.get(orderId) ?? status) !== status;
  before.set(orderId, status);
  return element("span", { class: hasMoved ? "moved" : null }, STATUSES[status] ?? status, of.reason ? `: ${reason(of.reason)}` : "");
}

function filter(chosen = "") {
  const choose = ({ target }) => { location.hash = `#/orders${target.value ? `?status=${target.value}` : ""}`; };
  return element("div", { class: "filters" }, element("label", {}, "Status",
    element("select", { id: "status", change: choose },
      Object.entries({ "": "any", ...STATUSES }).map(([value, words]) => element("option", { value, selected: value === chosen }, words)))));
}
