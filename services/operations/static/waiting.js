// What waits, for whom, and for how long: the longest first.

import { waits } from "./api.js";
import { WAITS, age, at, element, number, orderLink, table } from "./elements.js";

const OVER = { "": "any time", PT1M: "over a minute", PT10M: "over ten minutes", PT1H: "over an hour", P1D: "over a day" };

export const title = () => "What waits";

export async function read({ filters: { waiting, over } }) {
  return { page: await waits({ waiting, over }) };
}

export function show({ page }, { filters }) {
  return [
    filter(filters),
    table("Orders that wait, the longest first", [
      { head: "Order", cell: (each) => orderLink(each.orderId) },
      { head: "Waits for", cell: (each) => WAITS[each.waiting] ?? each.waiting },
      { head: "For", kind: "number", cell: (each) => age(each.since) },
      { head: "Asked again", kind: "number", cell: (each) => number(each.chases) },
      { head: "Next time", cell: (each) => each.chaseAt ? at(each.chaseAt) : "–" },
      { head: "Given up", cell: (each) => each.giveUpAt ? at(each.giveUpAt) : "never" },
    ], page.value, "Nothing waits."),
    page.nextLink ? element("p", { class: "empty" }, "These are the ones that wait longest. There are more.") : null,
  ];
}

function filter(filters) {
  const choice = (name, label, options) => element("label", {}, label,
    element("select", { id: `by-${name}`, change: ({ target }) => choose({ ...filters, [name]: target.value }) },
      Object.entries(options).map(([value, words]) => element("option", { value, selected: value === (filters[name] ?? "") }, words))));
  return element("div", { class: "filters" }, choice("waiting", "Waits for", { "": "anything", ...WAITS }), choice("over", "For", OVER));
}

function choose(filters) {
  const given = Object.entries(filters).filter(([, value]) => value);
  location.hash = `#/waiting${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}
