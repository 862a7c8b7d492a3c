// The README's session, by a client whose types openapi-typescript makes of openapi.json: `node session.ts ORIGIN`, then
// the tokens of an admin, the warehouse and a customer. Prints the completed order.
import createClient from "openapi-fetch";
import type { components, paths } from "./orderflow.d.ts";

declare const process: { argv: string[] };
const [origin, ...tokens] = process.argv.slice(2);
const [admin, warehouse, ada] = tokens.map((token) =>
  createClient<paths>({ baseUrl: origin, headers: { Authorization: `Bearer ${token}` } }),
);
if (!admin || !warehouse || !ada) throw new Error("Usage: node session.ts ORIGIN ADMIN WAREHOUSE CUSTOMER");

/** What an answer holds; what it was refused for is thrown. */
function held<T>({ data, error }: { data?: T; error?: components["schemas"]["Problem"] }): T {
  if (data === undefined) throw new Error(error?.detail ?? error?.title);
  return data;
}

/** Ask again until there is what is waited for. */
async function until(asked: () => Promise<boolean>): Promise<void> {
  while (!(await asked())) await new Promise((resolve) => setTimeout(resolve, 100));
}

// A product at £2.50, and twelve of them in the house.
const product = { sku: "MUG-1", name: "Enamel mug", price: { amount: 250, currency: "GBP" } };
const { results } = held(await admin.POST("/api/products/import", { body: { products: [product] } }));
if (results[0]?.status === "refused" || results[0]?.status === "failed") throw new Error(results[0]?.reason);
held(await warehouse.PUT("/api/stock/{sku}", { params: { path: { sku: "MUG-1" } }, body: { onHand: 12 } }));

// Orders know the price as soon as the catalogue's event arrives.
await until(async () => (await ada.GET("/api/prices/{sku}", { params: { path: { sku: "MUG-1" } } })).response.ok);

const { orderId } = held(
  await ada.POST("/api/orders", {
    params: { header: { "Idempotency-Key": "my-first-order" } },
    body: {
      email: "ada@example.com",
      currency: "GBP",
      paymentMethod: "pm_card_visa",
      shippingAddress: { name: "Ada Lovelace", line1: "12 St James Square", city: "London", country: "GB" },
      lines: [{ sku: "MUG-1", quantity: 2 }],
    },
  }),
);
const order = async () => held(await ada.GET("/api/orders/{orderId}", { params: { path: { orderId } } }));
const shipment = { params: { path: { shipmentId: `shp_${orderId}` } } };

// Stock is set aside and the money held; then the warehouse has a shipment to send.
await until(async () => (await order()).status === "confirmed");
await until(async () => (await warehouse.GET("/api/shipments/{shipmentId}", shipment)).response.ok);
const note = { carrier: "Royal Mail", trackingNumber: "RM1" };
held(await warehouse.POST("/api/shipments/{shipmentId}/dispatch", { ...shipment, body: note }));

// The stock is used up and the money captured.
await until(async () => (await order()).status === "completed");
console.log(JSON.stringify(await order()));
