// One order: why it is where it is, and its timeline.

import { timeline } from "./api.js";
import { STATES, WAITS, age, at, element, moment, money, number, reason as inWords, span, words } from "./elements.js";
import { list } from "./parked.js";

const LONG = 60; // seconds between two events that are pointed out
const SHORTEST = 1.6, LONGEST = 6; // rem

export const title = ({ id }) => `Order ${id}`;

export async function read({ id }) {
  return { found: await timeline(id) };
}

export function show({ found }, _, tools) {
  const { others: { words: now, wait, unknown }, parked } = found;
  const isParked = parked.unknown.length || parked.contexts.some(({ value }) => value.length);
  const facts = [
    ["Waits for", wait?.waiting && element("span", {}, WAITS[wait.waiting], ", for ", age(wait.since))],
    ["Asked again", wait?.chaseAt && element("span", {}, wait.chases ? `${number(wait.chases)} times, next ` : "", at(wait.chaseAt))],
    ["Given up", wait?.giveUpAt && at(wait.giveUpAt)],
    ["State", STATES[found.state] ?? found.state],
    ["Since", element("span", {}, at(found.since), " (", age(found.since), ")")],
    ["Total", found.total && money(found.total)],
    ["Lines", found.lineCount],
    ["Trace", found.traceId && element("span", { class: "id" }, found.traceId)],
    ["Messages", `${number(found.messages)}${isParked ? "" : ", none of them parked"}`],
    ["Request units", found.estimatedRequestUnits && `about ${number(found.estimatedRequestUnits)}, estimated for an order of so many lines`],
  ].filter(([, value]) => value);
  return [
    element("div", { class: "why" }, element("p", {}, found.why), now ? element("p", {}, now) : null),
    unknown.length ? element("p", { class: "problem" }, `What ${unknown.join(", ")} would say of it isn't known: no answer came.`) : null,
    element("dl", {}, facts.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    isParked ? [element("h2", {}, "Parked messages"), list(parked, tools)] : null,
    element("h2", {}, "What happened"),
    happened(found),
  ];
}

function happened({ events, isWhole, traceId }) {
  const items = events.flatMap((event, index) => [
    index ? gap(event.secondsSincePrevious) : null,
    element("li", { class: event.context },
      element("div", { class: "event" }, element("strong", {}, words(event.name)), element("span", {}, event.context), at(event.happenedAt),
        told(event, events[index - 1]?.traceId ?? traceId).map((each) => element("span", { class: "told" }, each)))),
  ]);
  return [element("ol", { class: "timeline", "aria-label": "Events, earliest first" }, items.filter(Boolean)),
    isWhole ? null : element("p", { class: "empty" }, "It has more events than are shown.")];
}

/** As long as the time between two events is, by its logarithm. */
function gap(seconds) {
  const made = element("li", { class: `gap ${seconds > LONG ? "long" : ""}` }, seconds < 0 ? "at once" : `${span(seconds)} later`);
  made.style.setProperty("--length", `${Math.min(SHORTEST + Math.log10(1 + Math.max(0, seconds)), LONGEST)}rem`);
  return made;
}

function told({ reason, code, shortages = [], shipmentId, number: correction, authorisedUntil, traceId }, before) {
  return [
    reason && `Reason: ${inWords(reason)}`,
    code && `Declined: ${inWords(code)}`,
    ...shortages.map(({ sku, wanted, available }) => `Short: ${sku}, ${wanted} wanted, ${available} there`),
    shipmentId && `Shipment ${shipmentId}`,
    correction && `Correction ${correction}`,
    authorisedUntil && `The money is held until ${moment(authorisedUntil)}`,
    traceId && traceId !== before && `Trace ${traceId}`,
  ].filter(Boolean);
}
