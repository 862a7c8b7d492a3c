// The console: who reads it, which view, and its refreshing.

import { Refusal, begin, end, session } from "./api.js";
import { element, growOlder } from "./elements.js";

const EVERY = 2000; // milliseconds
const STALE = 3 * EVERY;
const VIEWS = {
  orders: "Orders", flow: "Flow", waiting: "Waiting", parked: "Parked", disagreements: "Disagreements", stock: "Stock", health: "Health",
};
const FIRST = "orders";

const view = document.getElementById("view");
const freshness = document.getElementById("freshness");
const dialog = document.getElementById("dialog");

let shown = null; // the view on the page: its module, what it is about, what it last read and when
let timer = null;

/** The view that the address names, and what it is about: `#/order/ord_1`, `#/orders?status=pending`. */
function addressed() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id, ...more] = path.split("/");
  const filters = Object.fromEntries(new URLSearchParams(query));
  if (name === "order" && id && !more.length) return { name, id: decoded(id), filters };
  return id === undefined && Object.hasOwn(VIEWS, name) ? { name, filters } : { name: FIRST, filters: {} };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function open() {
  clearTimeout(timer);
  const opened = { about: addressed(), module: null, read: null, at: null, failure: null };
  const isFirst = !shown;
  shown = opened;
  const { name } = opened.about;
  const module = await import(`./${name}.js`).catch(() => null);
  if (shown !== opened) return;
  for (const link of document.querySelectorAll("#views a")) {
    if (link.getAttribute("href") === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!module) return view.replaceChildren(element("p", { class: "problem" }, "The API doesn't answer. Load this page again."));
  opened.module = module;
  document.title = `${module.title(opened.about)} – Orderflow`;
  view.replaceChildren(heading(opened), element("p", { class: "empty" }, "Reading …"));
  tellFreshness();
  if (!isFirst) view.firstChild.focus(); // where somebody reads on who came by a link
  await refresh();
}

function heading({ module, about }) {
  return element("h1", { tabindex: "-1" }, module.title(about));
}

/** Reads what the view shows, shows it where it has changed, and comes back: unless nobody looks. */
async function refresh() {
  clearTimeout(timer);
  const of = shown;
  if (!of?.module || document.hidden) return;
  try {
    const read = await of.module.read(of.about);
    if (shown !== of) return;
    const isNew = !of.read || Object.keys(read).some((name) => read[name] !== of.read[name]);
    Object.assign(of, { read, at: Date.now(), failure: null });
    if (isNew) show(of);
  } catch (failure) {
    if (shown !== of) return;
    if (!(failure instanceof Refusal)) console.error(failure);
    of.failure = failure;
    if (failure.status === 401) return offerSignIn(failure.message);
    if (!of.read || failure.status === 404) refuse(of, failure);
  }
  tellFreshness();
  clearTimeout(timer);
  timer = setTimeout(refresh, EVERY);
}

function show(of) {
  const held = document.activeElement;
  const opened = [...view.querySelectorAll("details[open]")].map(({ id }) => id);
  const isHeading = held?.tagName === "H1";
  const tools = { admin: session()?.roles.includes("admin"), ask, refresh };
  view.replaceChildren(heading(of), element("div", {}, of.module.show(of.read, of.about, tools)));
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  if (isHeading) view.firstChild.focus({ preventScroll: true });
  else if (held?.id && !held.isConnected) document.getElementById(held.id)?.focus({ preventScroll: true });
}

function refuse(of, failure) {
  of.read = null;
  view.replaceChildren(heading(of), element("p", { class: "problem" }, failure.message));
}

/** Says whether what is shown is how things are, and if not, since when, and why. */
function tellFreshness() {
  if (!shown) return;
  const { at, failure } = shown;
  const isStale = failure || (at && Date.now() - at > STALE);
  const why = failure?.message ?? "The API takes long to answer.";
  const told = isStale ? `${why}${at ? ` What you see is of ${new Date(at).toLocaleTimeString()}.` : ""}` : at ? "Up to date" : "";
  freshness.className = isStale ? "stale" : "";
  if (freshness.textContent !== told) freshness.textContent = told;
}

/** Asks in a dialog: `content` gets a function that closes it. What had the focus gets it back. */
function ask(title, content) {
  const close = () => dialog.close();
  dialog.replaceChildren(element("h2", { id: "dialog-title" }, title), ...content(close));
  const held = document.activeElement;
  dialog.addEventListener("close", () => (document.getElementById(held?.id) ?? view).focus(), { once: true });
  dialog.showModal();
}

function offerSignIn(why) {
  clearTimeout(timer);
  shown = null;
  end();
  document.title = "Sign in – Orderflow";
  for (const id of ["find", "reader", "views"]) document.getElementById(id).hidden = true;
  freshness.textContent = "";
  const fault = element("p", { class: "problem", role: "alert", hidden: !why }, why ?? "");
  const leave = async () => {
    try {
      await (await import("./sign_in.js")).signIn(location.hash);
    } catch (failure) {
      fault.textContent = failure.message;
      fault.hidden = false;
    }
  };
  view.replaceChildren(
    element("h1", {}, "Sign in"),
    element("p", {}, "For support and admins: every order, what is stuck and why, and how each part of the shop fares."),
    fault,
    element("p", {}, element("button", { id: "sign-in", type: "button", class: "main", click: leave }, "Sign in")),
  );
}

function welcome({ subject, roles }) {
  document.getElementById("who").textContent = `${subject} (${roles.join(", ") || "no role"})`;
  document.getElementById("views").replaceChildren(element("ul", {}, Object.entries(VIEWS).map(([name, title]) =>
    element("li", {}, element("a", { href: `#/${name}` }, title)))));
  for (const id of ["find", "reader", "views"]) document.getElementById(id).hidden = false;
  open();
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view
  view.focus();
});
document.getElementById("find").addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = `#/order/${encodeURIComponent(event.target.elements.order.value.trim())}`;
});
document.getElementById("sign-out").addEventListener("click", () => offerSignIn());
window.addEventListener("hashchange", () => session() ? open() : offerSignIn());
document.addEventListener("visibilitychange", () => refresh());
setInterval(() => {
  growOlder();
  tellFreshness();
}, 1000);

try {
  if (new URLSearchParams(location.hash.slice(1)).has("state")) begin(await (await import("./sign_in.js")).comeBack());
  const reader = session();
  if (reader) welcome(reader);
  else offerSignIn();
} catch (failure) {
  offerSignIn(`You aren't signed in. ${failure.message}`);
}
