// All that the console reads of the API, and does by it. Whatever is read again is asked for only if it has changed.

const SIGNED_IN = "orderflow.signed-in"; // in sessionStorage, which ends with the tab
const TIMEOUT = 8000; // milliseconds

/** Why the API didn't do what it was asked: `status` is 0 where there was no answer. */
export class Refusal extends Error {
  constructor(status, { title, detail } = {}) {
    super([title ?? (status ? `The API answers ${status}.` : "The API doesn't answer."), detail].filter(Boolean).join(" "));
    this.status = status;
  }
}

const known = new Map();

/** Whose token all is asked with (see sign_in.js); null where nobody is signed in any more. */
export function session() {
  const kept = JSON.parse(sessionStorage.getItem(SIGNED_IN));
  return kept && kept.endsAt > Date.now() ? kept : null;
}

export function begin(session) {
  sessionStorage.setItem(SIGNED_IN, JSON.stringify(session));
}

/** Ends the session, and forgets all that was read in it. */
export function end() {
  sessionStorage.removeItem(SIGNED_IN);
  known.clear();
}

async function call(method, path, headers = {}) {
  const reader = session();
  if (!reader) throw new Refusal(401, { title: "Your sign-in has ended." });
  let answer;
  try {
    answer = await fetch(`/api/${path}`, {
      method,
      headers: { Authorization: `Bearer ${reader.token}`, ...headers },
      cache: "no-store", // what is known is known to this page alone
      signal: AbortSignal.timeout(TIMEOUT),
    });
  } catch {
    throw new Refusal(0);
  }
  if (!answer.ok && answer.status !== 304) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

/** What is at the path: the very same object for as long as it is unchanged. */
async function read(path) {
  const before = known.get(path);
  const answer = await call("GET", path, before?.etag ? { "If-None-Match": before.etag } : {});
  const text = answer.status === 304 ? before.text : await answer.text();
  if (text !== before?.text) known.set(path, { text, etag: answer.headers.get("ETag"), body: JSON.parse(text) });
  return known.get(path).body;
}

function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

const part = encodeURIComponent;

/** Some of the newest orders, of one status or of all. */
export const orders = (status, limit) => read(`orders${query({ status, limit })}`);
export const timeline = (id) => read(`operations/orders/${part(id)}`);

/** Those that have waited longest: for one thing or for any (`waiting`), for so long at least (`over`). */
export const waits = (filters) => read(`operations/orders${query(filters)}`);
export const flow = () => read("operations/flow");
export const registry = () => read("operations/registry");

export const parked = () => read("operations/parked");

/** What a replay would do, or with `dryRun` false has done. */
export async function replay(context, id, dryRun) {
  return (await call("POST", `parked/${part(context)}/${part(id)}/replay${query({ dryRun: String(dryRun) })}`)).json();
}

export async function discard(context, id, reason) {
  return (await call("DELETE", `parked/${part(context)}/${part(id)}${query({ reason })}`)).json();
}

export const disagreements = () => read("operations/disagreements");

export async function letBe(id, reason) {
  return (await call("DELETE", `operations/disagreements/${part(id)}${query({ reason })}`)).json();
}
