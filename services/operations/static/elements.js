// Elements and words that the views share. Whatever comes from elsewhere goes into the page as text.

/** An element: functions among the attributes are listeners, children are nodes or texts; what is null or false is left
    out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}

/** A table of `rows`; each column has a `head`, and a `cell` that makes an item's text or node. The first names the row. In a
    narrow window each row is a block, whose cells say their column's head. */
export function table(caption, columns, rows, empty) {
  if (!rows.length) return element("p", { class: "empty" }, empty);
  const cell = (row, { head, cell, kind }, index) => {
    const first = index ? ["td", { role: "cell" }] : ["th", { role: "rowheader", scope: "row" }];
    return element(first[0], { ...first[1], class: kind, "data-head": head }, cell(row));
  };
  return element("table", { role: "table" },
    element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" },
      columns.map(({ head, kind }) => element("th", { role: "columnheader", scope: "col", class: kind }, head)))),
    element("tbody", { role: "rowgroup" },
      rows.map((row) => element("tr", { role: "row" }, columns.map((column, index) => cell(row, column, index))))));
}

/** A bar of `share`, 0 to 1. */
export function bar(share) {
  const made = element("span", { class: "bar", "aria-hidden": "true" });
  made.style.setProperty("--share", share);
  return made;
}

/** Whether something works, `good` or `bad`: colour, shape and words say so. */
export function light(kind, said) {
  return element("span", { class: `light ${kind}` }, said);
}

/** A link to the view of an order. */
export function orderLink(id, of = `order-${id}`) {
  return element("a", { href: `#/order/${encodeURIComponent(id)}`, class: "id", id: of }, id);
}

const LONGEST_REASON = 200;

/** Asks why, and `does` it for that reason; `name` is its button's. */
export function askWhy(title, name, what, does, { ask, refresh }) {
  ask(title, (close) => {
    const told = element("p", { role: "status" });
    const reason = element("textarea", { id: "reason", required: true, maxlength: LONGEST_REASON, "aria-describedby": "reason-for" });
    const go = element("button", { class: "grave", id: "confirm" }, name);
    const submit = (event) => {
      event.preventDefault();
      doing(go, told, () => does(reason.value.trim().replace(/\s+/g, " ")), close, refresh);
    };
    return [element("p", {}, what),
      element("form", { submit },
        element("label", {}, "Reason", reason),
        element("p", { id: "reason-for", class: "empty" }, "For the audit. Name nobody in it."),
        told,
        element("div", { class: "actions" }, cancel(close), go))];
  });
}

export function cancel(close) {
  return element("button", { type: "button", click: close }, "Cancel");
}

/** Does what a dialog's button is for, and closes the dialog; says there why it couldn't be done. */
export async function doing(button, told, does, close, refresh) {
  button.disabled = true;
  try {
    await does();
    close();
    await refresh();
  } catch (failure) {
    fail(told, failure);
    button.disabled = false;
  }
}

export function fail(told, failure) {
  told.className = "problem";
  told.textContent = failure.message;
}

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** A time span in words: its two largest units; under ten seconds with a tenth, under a second in milliseconds. */
export function span(seconds) {
  if (seconds < 0) return "0 s";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const at = UNITS.findIndex(([, size]) => whole >= size);
  const [unit, size] = UNITS[at];
  const rest = UNITS[at + 1] ? Math.floor((whole % size) / UNITS[at + 1][1]) : 0;
  return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${UNITS[at + 1][0]}` : ""}`;
}

/** How long ago a time is, which goes on. */
export function age(time) {
  const made = element("time", { datetime: time, class: "age", title: moment(time) });
  tell(made);
  return made;
}

/** Has every age that the page shows go on. */
export function growOlder() {
  document.querySelectorAll("time.age").forEach(tell);
}

function tell(made) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(made.dateTime)) / 1000));
  made.textContent = span(seconds || 0.0);
}

/** A time as people here write it. */
export function moment(time) {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** A point of time that doesn't go on. */
export function at(time) {
  return element("time", { datetime: time }, moment(time));
}

/** `payment_due` and `PaymentAuthorised` as words. */
export function words(name) {
  const parted = name.replace(/_/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return parted.charAt(0).toUpperCase() + parted.slice(1);
}

/** `out_of_stock` as words within a sentence. */
export function reason(name) {
  return words(name).toLowerCase();
}

export function number(value) {
  return value.toLocaleString();
}

/** An order's status, as the API has it. */
export const STATUSES = {
  pending: "Pending", confirmed: "Confirmed", cancelling: "Cancelling", shipped: "Shipped", completed: "Completed",
  payment_due: "Payment due", cancelled: "Cancelled", rejected: "Rejected",
};

/** What an order may wait for. */
export const WAITS = {
  stock: "stock", payment: "payment", dispatch: "dispatch", recall: "the parcel's recall", undo: "being undone", settle: "settlement",
};

/** Where an order may stand, by its events. */
export const STATES = {
  stock: "Waits for stock", payment: "Waits for payment", dispatch: "Waits for dispatch", undo: "Is being undone",
  settle: "Is being settled", completed: "Completed", payment_due: "Payment due", cancelled: "Cancelled", rejected: "Rejected",
};

/** An amount in minor units, as people write it. */
export function money({ amount, currency }) {
  const form = new Intl.NumberFormat(undefined, { style: "currency", currency });
  return form.format(amount / 10 ** form.resolvedOptions().maximumFractionDigits);
}
