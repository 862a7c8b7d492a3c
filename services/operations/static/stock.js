// Which products orders were lately refused for.

import { orders } from "./api.js";
import { age, element, number, table } from "./elements.js";

const LOOKED_AT = 50;

export const title = () => "Stock that runs out";

export async function read() {
  return { page: await orders("rejected", LOOKED_AT) };
}

export function show({ page }) {
  return [
    element("p", {}, "A product is known here by the orders that were refused for it, not by its count. What nobody has ordered since it ran out isn't among these; what was counted anew meanwhile still is."),
    table(`Short in the ${LOOKED_AT} newest orders that were rejected, the latest first`, [
      { head: "Product", cell: ({ sku }) => element("span", { class: "id" }, sku) },
      { head: "Orders refused", kind: "number", cell: ({ refused }) => number(refused) },
      { head: "Wanted last", kind: "number", cell: ({ wanted }) => number(wanted) },
      { head: "There were", kind: "number", cell: ({ available }) => number(available) },
      { head: "Ago", kind: "number", cell: ({ placedAt }) => age(placedAt) },
    ], short(page.value), `None of the ${LOOKED_AT} newest orders that were rejected was for want of stock.`),
  ];
}

/** By product, the latest order that it was too little for, and how many they were. The orders come newest first. */
function short(rejected) {
  const found = new Map();
  for (const { placedAt, shortages } of rejected) {
    for (const { sku, wanted, available } of shortages?.lines ?? []) {
      const known = found.get(sku) ?? { sku, wanted, available, placedAt, refused: 0 };
      found.set(sku, { ...known, refused: known.refused + 1 });
    }
  }
  return [...found.values()];
}
