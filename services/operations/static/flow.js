// How orders move: where those stand that are under way, how many come and go, and how long they take.

import uPlot from "./uPlot.esm.js";
import { flow } from "./api.js";
import { STATES, bar, element, moment, number, span, table, words } from "./elements.js";

const WINDOWS = { hour: "the last hour", day: "the last day", week: "the last week" };
const ENDS = { OrderCompleted: "completed", OrderRejected: "rejected", OrderCancelled: "cancelled", OrderPaymentDue: "payment due" };
const UNDER_WAY = ["stock", "payment", "dispatch", "undo", "settle"];
const HEIGHT = 220; // pixels

export const title = () => "Flow";

export async function read() {
  return { flowing: await flow() };
}

export function show({ flowing }, { filters }) {
  const chosen = Object.hasOwn(WINDOWS, filters.window) ? filters.window : "hour";
  const { events, steps, periods } = flowing[chosen];
  const times = periods.map(({ since }) => Date.parse(since) / 1000);
  const line = (label, colour, of, dash) => ({ label, colour, dash, values: periods.map(of) });
  const tick = chosen === "week" ? { weekday: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit" };
  const figure = (name, said) => element("li", {}, element("strong", {}, number(events[name] ?? 0)), said);
  const percentiles = ["p50", "p95", "p99"].map((each) => ({ head: each, kind: "number", cell: ([, step]) => span(step[each]) }));
  return [
    underWay(flowing.underWay),
    choice(chosen),
    element("ul", { class: "figures", "aria-label": `Orders in ${WINDOWS[chosen]}` },
      figure("OrderPlaced", "placed"), Object.entries(ENDS).map(([name, said]) => figure(name, said))),
    chart(`Orders placed and completed in ${WINDOWS[chosen]}`, times, [
      line("Placed", "--orders", (of) => of.events.OrderPlaced ?? 0),
      line("Completed", "--payments", (of) => of.events.OrderCompleted ?? 0, [6, 4]),
    ], number, tick),
    chart(`From placing to the end in ${WINDOWS[chosen]}`, times,
      [line("p95: of a hundred orders, 95 took no longer", "--shipping", (of) => of.steps.whole?.p95 ?? null)], span, tick),
    element("h2", {}, "Steps"),
    table(`How long each step took in ${WINDOWS[chosen]}`, [
      { head: "Step", cell: ([name]) => words(name) },
      { head: "Orders", kind: "number", cell: ([, { orders }]) => number(orders) },
      ...percentiles,
    ], Object.entries(steps), "Nothing yet."),
    flowing.countedUntil ? element("p", { class: "empty" }, `Counted until ${moment(flowing.countedUntil)}.`) : null,
  ];
}

function underWay(orders) {
  const most = Math.max(1, ...Object.values(orders));
  return table("Orders under way", [
    { head: "State", cell: (state) => [element("a", { href: `#/waiting?waiting=${state}`, id: `state-${state}` }, STATES[state]), bar((orders[state] ?? 0) / most)] },
    { head: "Orders", kind: "number", cell: (state) => counted(state, orders[state] ?? 0) },
  ], UNDER_WAY);
}

const before = new Map();

/** A number of orders, which stands out for a moment when it has changed. */
function counted(state, orders) {
  const hasMoved = (before.get(state) ?? orders) !== orders;
  before.set(state, orders);
  return element("span", { class: hasMoved ? "moved" : null }, number(orders));
}

function choice(window) {
  const choose = (event) => { location.hash = `#/flow?window=${event.target.value}`; };
  return element("div", { class: "filters" }, element("label", {}, "In",
    element("select", { id: "window", change: choose },
      Object.entries(WINDOWS).map(([value, words]) => element("option", { value, selected: value === window }, words)))));
}

/** A chart of lines over time, each in a colour of the style sheet, as wide as its place is. */
function chart(heading, times, lines, words, tick) {
  const place = element("div", { role: "img", "aria-label": `A chart: ${heading}` });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let drawn = null;
  const draw = () => {
    drawn?.destroy();
    const colour = (name) => getComputedStyle(place).getPropertyValue(name);
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const day = (time) => new Date(time * 1000).toLocaleString(undefined, tick);
    drawn = new uPlot({
      width: place.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 32, 0, 0],
      scales: { y: { range: (_, least, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [{ ...axis, size: 28, space: 70, values: (_, ticks) => ticks.map(day) }, { ...axis, size: 84, values: (_, ticks) => ticks.map(words) }],
      series: [{}, ...lines.map((each) => ({ stroke: colour(each.colour), width: 2, dash: each.dash, points: { show: times.length < 20, size: 5 } }))],
    }, [times, ...lines.map(({ values }) => values)], place);
  };
  const watched = new ResizeObserver(() => {
    if (!place.isConnected) {
      watched.disconnect();
      dark.removeEventListener("change", draw);
      drawn?.destroy();
    } else if (drawn) drawn.setSize({ width: place.clientWidth, height: HEIGHT });
    else draw();
  });
  dark.addEventListener("change", draw);
  watched.observe(place);
  return element("figure", {}, element("figcaption", {}, heading,
    element("ul", { class: "legend" }, lines.map((each) => {
      const item = element("li", { class: each.dash ? "dashed" : null }, each.label);
      item.style.setProperty("--of", `var(${each.colour})`);
      return item;
    }))), place);
}
