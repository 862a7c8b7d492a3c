// Signs the reader in at the shop's issuer: an authorisation code with PKCE (RFC 7636), as a public client. The code comes
// back behind a #, where no server sees it, and is taken out of the address at once. What is under way is kept in
// sessionStorage, which ends with the tab.

const PAGE = `${location.origin}/api/console`;
const UNDER_WAY = "orderflow.signing-in";
const EARLY = 30; // seconds: a token that ends now is over when a request arrives

/** Leaves for the issuer, which sends the browser back here, to the view at `hash`. */
export async function signIn(hash) {
  const { issuer, clientId, scope, rolesClaim } = await read("/api/console/page.json");
  if (!clientId) throw new Error("The setting CONSOLE_CLIENT_ID names no client of the issuer: nobody can sign in here.");
  const endpoints = await read(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  const [state, nonce, verifier] = [random(), random(), random()];
  const tokenEndpoint = endpoints.token_endpoint;
  sessionStorage.setItem(UNDER_WAY, JSON.stringify({ state, nonce, verifier, hash, tokenEndpoint, clientId, rolesClaim }));
  const asked = {
    response_type: "code", response_mode: "fragment", client_id: clientId, redirect_uri: PAGE, scope, state, nonce,
    code_challenge: await digest(verifier), code_challenge_method: "S256",
  };
  location.assign(`${endpoints.authorization_endpoint}?${new URLSearchParams(asked)}`);
}

/** Where the issuer has just sent the browser back: takes its answer out of the address, and redeems the code. Who is signed
    in: `token`, `subject`, `roles`, and until when (`endsAt`, in milliseconds). Throws with what went wrong. */
export async function comeBack() {
  const answer = new URLSearchParams(location.hash.slice(1));
  const asked = JSON.parse(sessionStorage.getItem(UNDER_WAY));
  sessionStorage.removeItem(UNDER_WAY);
  history.replaceState(null, "", `${location.pathname}${asked?.hash ?? ""}`);
  if (asked?.state !== answer.get("state")) throw new Error("This isn't the answer to a sign-in that was begun here.");
  if (answer.has("error")) throw new Error(answer.get("error_description") ?? answer.get("error"));
  const granted = await read(asked.tokenEndpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code", code: answer.get("code"), redirect_uri: PAGE, client_id: asked.clientId,
      code_verifier: asked.verifier,
    }),
  });
  if (claims(granted.id_token).nonce !== asked.nonce) throw new Error("The issuer's answer is to another sign-in.");
  const said = claims(granted.access_token);
  const roles = [said[asked.rolesClaim] ?? []].flat();
  const endsAt = Date.now() + (granted.expires_in - EARLY) * 1000;
  return { token: granted.access_token, subject: said.sub ?? "", roles, endsAt };
}

async function read(address, options) {
  const answer = await fetch(address, options);
  if (!answer.ok) throw new Error(`${new URL(address, location).host} answers ${answer.status} when it is asked to sign in.`);
  return answer.json();
}

/** What a token says; nothing where the issuer's tokens are no JSON Web Tokens: the API says then what its bearer may. */
function claims(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

function random() {
  return text(crypto.getRandomValues(new Uint8Array(32)));
}

async function digest(verifier) {
  return text(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

/** Bytes in base64url. */
function text(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
