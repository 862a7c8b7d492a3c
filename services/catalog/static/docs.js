"use strict";

// Shows the API's description. Where the installation names a client for this page, its reader can sign in at the shop's
// issuer (authorisation code with PKCE); else they paste a token. Tokens are kept in the page's memory alone.

async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} answers ${answer.status}`);
  return answer.json();
}

async function offerSigningIn(description, { issuer, scope }) {
  const endpoints = await read(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  const scopes = Object.fromEntries(scope.split(" ").map((name) => [name, ""]));
  const flow = { authorizationUrl: endpoints.authorization_endpoint, tokenUrl: endpoints.token_endpoint, scopes };
  const signIn = { type: "oauth2", flows: { authorizationCode: flow } };
  description.components.securitySchemes = { signIn, ...description.components.securitySchemes };
  for (const operation of Object.values(description.paths).flatMap(Object.values)) {
    if (operation.security.length) operation.security.unshift({ signIn: Object.keys(scopes) });
  }
}

async function show() {
  const [description, page] = await Promise.all([read("/api/openapi.json"), read("/api/docs/page.json")]);
  if (page.clientId) {
    await offerSigningIn(description, page).catch((error) => console.error("Nobody can sign in here:", error));
  }
  const ui = SwaggerUIBundle({
    spec: description,
    dom_id: "#api",
    oauth2RedirectUrl: `${location.origin}/api/docs/oauth2-redirect.html`,
    validatorUrl: null,
    tryItOutEnabled: true,
  });
  ui.initOAuth({
    clientId: page.clientId,
    scopes: page.scope,
    usePkceWithAuthorizationCodeGrant: true,
    // The code comes behind a #, where no server sees it: the API refuses parameters that it doesn't know.
    additionalQueryStringParams: { response_mode: "fragment" },
  });
}

show().catch((error) => { document.getElementById("api").textContent = `The API can't be shown: ${error.message}`; });
