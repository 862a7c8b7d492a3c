// Whether every context answers and can work, and what it is made of.

import { registry } from "./api.js";
import { element, light, table } from "./elements.js";

const LIGHTS = { ready: ["good", "ready"], not_ready: ["bad", "can't work"], unknown: ["bad", "doesn't answer"] };

export const title = () => "Health";

export async function read() {
  return { known: await registry() };
}

export function show({ known: { contexts } }) {
  return [
    table("Every context", [
      { head: "Context", cell: ({ name }) => name },
      { head: "Health", cell: ({ name, health }) => element("span", { "data-context": name }, light(...LIGHTS[health])) },
      { head: "What is wrong", cell: wrong },
      { head: "Version", cell: ({ version }) => version ?? "–" },
      { head: "Commit", cell: ({ commit }) => element("span", { class: "id" }, commit?.slice(0, 12) ?? "–") },
    ], contexts),
    element("h2", {}, "Functions"),
    contexts.filter(({ functions }) => functions).map(functionsOf),
  ];
}

function wrong({ health, dependencies = {} }) {
  const away = Object.entries(dependencies).filter(([, state]) => state !== "up").map(([name, state]) => `${name}: ${state}`);
  return health === "unknown" ? "It may be away, or overloaded: nothing is known of it." : away.join("; ") || "–";
}

function functionsOf({ name: context, functions }) {
  const code = (text) => element("span", { class: "id" }, text);
  return element("details", { id: `functions-${context}` },
    element("summary", { id: `functions-of-${context}` }, `${context}: ${Object.keys(functions).length}`),
    table(`What ${context} is made of`, [
      { head: "Function", cell: ([name]) => code(name) },
      { head: "Started by", cell: ([, start]) => code(start) },
    ], Object.entries(functions)));
}
