// Of which orders, payments and products the contexts don't say the same, and what each says.

import { disagreements, letBe } from "./api.js";
import { age, askWhy, element, moment, money, number, orderLink, words } from "./elements.js";

const SIDES = { orders: "Orders", inventory: "Inventory", payments: "Payments and the provider", events: "What was announced" };
const TIME = /^\d{4}-\d\d-\d\dT/;

export const title = () => "Disagreements";

export async function read() {
  return { page: await disagreements() };
}

export function show({ page: { value, nextLink } }, _, tools) {
  return [
    element("p", {}, "What orders, inventory and payments say of an order, of a payment and of a product's stock is held against each other and against the provider of payments. What differs is told here until it agrees, or an admin lets it be."),
    value.length ? value.map((each) => disagreement(each, tools)) : element("p", { class: "empty" }, "Nothing disagrees."),
    nextLink ? element("p", { class: "empty" }, "These were found first. There are more.") : null,
  ];
}

function disagreement({ id, orderId, sku, foundAt, lookedAt, differences, sides }, { admin, ...tools }) {
  return element("article", { "aria-labelledby": `about-${id}` },
    element("h2", { id: `about-${id}` }, sku ? `Stock of ${sku}` : ["Order ", orderLink(orderId, `order-of-${id}`)]),
    element("ul", { class: "differences" }, differences.map((each) => element("li", {}, each.words))),
    element("div", { class: "sides" }, Object.entries(SIDES).filter(([name]) => name in sides).map(([name, title]) => side(title, sides[name]))),
    element("p", { class: "empty" }, "Found ", age(foundAt), " ago, looked at ", age(lookedAt), " ago."),
    admin ? element("button", { id: `Let-be-${id}`, type: "button", click: () => askToLetBe(id, tools) }, "Let be") : null);
}

function side(name, says) {
  return element("section", { "aria-label": name }, element("h3", {}, name),
    says === null || !Object.keys(says).length ? element("p", { class: "empty" }, "Nothing of it")
      : Array.isArray(says) ? element("ul", {}, says.map((each) => element("li", {}, words(each))))
        : element("dl", {}, facts(says, says.amount?.currency ?? says.currency).map(([fact, value]) => [element("dt", {}, words(fact)), element("dd", {}, value)])));
}

/** What a side says, each by its name; of what stands within, by both names. */
function facts(says, currency, within = "") {
  return Object.entries(says).filter(([name]) => name !== "orderId").flatMap(([name, value]) => {
    const fact = within + name;
    if (value?.constructor === Object && !("currency" in value)) return facts(value, currency, `${fact} `);
    return [[fact, told(value, ["held", "captured"].includes(name) ? currency : null)]];
  });
}

function told(value, currency) {
  if (Array.isArray(value)) return value.join(", ") || "none";
  if (value?.currency) return money(value);
  if (typeof value === "number") return currency ? money({ amount: value, currency }) : number(value);
  return TIME.test(value) ? moment(value) : String(value ?? "none");
}

function askToLetBe(id, tools) {
  const what = `What differs about ${id} stays as it is, and is told again only when something else does.`;
  askWhy("Let it be?", "Let be", what, (reason) => letBe(id, reason), tools);
}
