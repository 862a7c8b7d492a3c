// What can't succeed, in every context, until somebody sees to it.

import { discard, parked, replay } from "./api.js";
import { age, askWhy, cancel, doing, element, fail, orderLink, table } from "./elements.js";

export const title = () => "Parked messages";

export async function read() {
  return { found: await parked() };
}

export function show({ found }, _, tools) {
  const more = found.contexts.filter(({ hasMore }) => hasMore).map(({ name }) => name);
  return [
    element("p", {}, "A message is parked when it can't succeed. Replay it once its cause is mended; discard it if nobody needs it any more."
      + (tools.admin ? "" : " An admin can do either.")),
    list(found, tools),
    more.length ? element("p", { class: "empty" }, `There is more in ${more.join(", ")}.`) : null,
  ];
}

/** What is parked, of all or of one order, and what an admin may do with it. */
export function list({ contexts, unknown }, { admin, ...tools }) {
  const columns = [
    { head: "Message", cell: (each) => shortened(each.type) ?? "not one of ours" },
    { head: "In", cell: (each) => each.context },
    { head: "About", cell: (each) => each.subject ? about(each.subject, `of-${each.context}-${each.id}`) : "–" },
    { head: "Why", cell: (each) => each.reason },
    { head: "Since", kind: "number", cell: (each) => age(each.parkedAt) },
    { head: "Times", kind: "number", cell: (each) => each.occurrences },
    ...(admin ? [{ head: "", cell: (each) => actions(each, tools) }] : []),
  ];
  const found = contexts.flatMap(({ name, value }) => value.map((each) => ({ ...each, context: name })));
  found.sort((one, other) => one.parkedAt.localeCompare(other.parkedAt));
  return [
    unknown.length ? element("p", { class: "problem" }, `What is parked in ${unknown.join(", ")} isn't known: no answer came.`) : null,
    table("The oldest first", columns, found, unknown.length ? "Elsewhere nothing is parked." : "Nothing is parked."),
  ];
}

function shortened(type) {
  return type?.split(".").at(-2);
}

function about(subject, id) {
  return subject.startsWith("ord_") ? orderLink(subject, id) : subject;
}

function actions(message, tools) {
  const button = (name, does) => element("button", { id: `${name}-${message.context}-${message.id}`, type: "button", click: does }, name);
  return element("div", { class: "actions" },
    message.isForgotten ? null : button("Replay", () => askToReplay(message, tools)),
    button("Discard", () => askToDiscard(message, tools)));
}

function askToReplay(message, { ask, refresh }) {
  const { context, id } = message;
  ask("Replay it?", (close) => {
    const told = element("p", { role: "status" }, "Asking what that would do …");
    const go = element("button", { type: "button", class: "main", id: "confirm", disabled: true }, "Replay");
    go.addEventListener("click", () => doing(go, told, () => replay(context, id, false), close, refresh));
    replay(context, id, true).then((would) => {
      told.textContent = `It would be sent to the queue ${would.sentTo} again, under a fresh message id. Nothing has been sent yet.`;
      go.disabled = false;
      go.focus();
    }, (failure) => fail(told, failure));
    return [element("p", {}, `${shortened(message.type) ?? "A message"} in ${context}${message.subject ? `, about ${message.subject}` : ""}: ${message.reason}`), told,
      element("div", { class: "actions" }, cancel(close), go)];
  });
}

function askToDiscard(message, tools) {
  const { type, subject, context, id } = message;
  const what = `${shortened(type) ?? "A message"} in ${context}${subject ? `, about ${subject}` : ""} will never be handled. This can't be undone.`;
  askWhy("Discard it?", "Discard", what, (reason) => discard(context, id, reason), tools);
}
