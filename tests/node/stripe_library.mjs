// A year in the life of a subscriber, told with Stripe's own library for Node to the stand-in for Stripe.
//
// Usage: node stripe_library.mjs ORIGIN FOLDER, where FOLDER is where npm installed the library. Run by
// tests/it/sandbox/stripe_library.rs. Nothing here may know that it is a stand-in.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [origin, folder] = process.argv.slice(2);
const Stripe = createRequire(`${folder}/`)("stripe");
const { protocol, hostname, port } = new URL(origin);
const stripe = new Stripe("sk_test_of_the_library", {
  protocol: protocol.replace(":", ""),
  host: hostname,
  port,
  maxNetworkRetries: 0,
  telemetry: false,
});

const START = 1_790_000_000;

async function advance(clock, to) {
  await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: to });
  assert.equal((await stripe.testHelpers.testClocks.retrieve(clock.id)).status, "ready");
}

async function refused(promise, type, facts) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof type, `${error.type}: ${error.message}`);
    for (const [field, expected] of Object.entries(facts)) assert.equal(error[field], expected, field);
    return true;
  });
}

// What is on sale.
const product = await stripe.products.create({ name: "Pictures", metadata: { app: "till" } });
const price = (key, unit_amount) =>
  stripe.prices.create({
    product: product.id,
    currency: "usd",
    unit_amount,
    recurring: { interval: "month" },
    lookup_key: key,
  });
const [starter, pro] = [await price("starter", 900), await price("pro", 2900)];
assert.deepEqual((await stripe.prices.list({ lookup_keys: ["pro"] })).data.map((row) => row.id), [pro.id]);

// A subscriber on a clock.
const clock = await stripe.testHelpers.testClocks.create({ frozen_time: START, name: "a year" });
const customer = await stripe.customers.create({
  email: "a@example.org",
  test_clock: clock.id,
  metadata: { user_id: "alice" },
});
const card = await stripe.paymentMethods.attach("pm_card_visa", { customer: customer.id });
await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: card.id } });
const wish = {
  customer: customer.id,
  items: [{ price: starter.id }],
  metadata: { user_id: "alice" },
  expand: ["latest_invoice.payments"],
};
let plan = await stripe.subscriptions.create(wish, { idempotencyKey: "subscribe-alice" });
assert.equal(plan.status, "active");
assert.equal(plan.latest_invoice.billing_reason, "subscription_create");
assert.equal(plan.latest_invoice.amount_paid, 900);
const again = await stripe.subscriptions.create(wish, { idempotencyKey: "subscribe-alice" });
assert.equal(again.id, plan.id, "the same key again makes nothing again");
const intent = plan.latest_invoice.payments.data[0].payment.payment_intent;

// A renewal.
const firstEnd = plan.items.data[0].current_period_end;
await advance(clock, firstEnd + 2 * 60 * 60);
plan = await stripe.subscriptions.retrieve(plan.id, { expand: ["latest_invoice"] });
assert.equal(plan.latest_invoice.billing_reason, "subscription_cycle");
assert.equal(plan.latest_invoice.status, "paid");
assert.equal(plan.items.data[0].current_period_start, firstEnd);

// An upgrade in the middle of the period, prorated and paid at once.
const [item] = plan.items.data;
await advance(clock, (item.current_period_start + item.current_period_end) / 2);
plan = await stripe.subscriptions.update(plan.id, {
  items: [{ id: item.id, price: pro.id }],
  proration_behavior: "always_invoice",
  expand: ["latest_invoice.lines"],
});
const upgrade = plan.latest_invoice;
assert.deepEqual([upgrade.billing_reason, upgrade.total, upgrade.status], ["subscription_update", 1000, "paid"]);
const lines = [];
for await (const line of stripe.invoices.listLineItems(upgrade.id, { limit: 1 })) {
  lines.push([line.amount, line.parent.invoice_item_details.proration]);
}
assert.deepEqual(lines, [[-450, true], [1450, true]]);

// A refund in part, and more than there is.
const refund = await stripe.refunds.create({ payment_intent: intent, amount: 300, reason: "requested_by_customer" });
assert.deepEqual([refund.status, refund.amount], ["succeeded", 300]);
const charge = await stripe.charges.retrieve(refund.charge);
assert.deepEqual([charge.amount_refunded, charge.refunded], [300, false]);
await refused(stripe.refunds.create({ payment_intent: intent, amount: 601 }), Stripe.errors.StripeInvalidRequestError, {
  param: "amount",
});

// A card that fails, and one whose payment is disputed.
const pay = (method, more) => stripe.paymentIntents.create({ amount: 900, currency: "usd", payment_method: method, confirm: true, ...more });
await refused(pay("pm_card_chargeDeclined"), Stripe.errors.StripeCardError, { code: "card_declined", statusCode: 402 });
const disputed = await pay("pm_card_createDispute", {
  automatic_payment_methods: { enabled: true, allow_redirects: "never" },
});
const [dispute] = (await stripe.disputes.list({ payment_intent: disputed.id })).data;
assert.deepEqual([dispute.status, dispute.amount], ["needs_response", 900]);

// A page to pay on, and a portal in which the plan can be changed.
const session = await stripe.checkout.sessions.create({
  mode: "subscription",
  customer: customer.id,
  line_items: [{ price: starter.id, quantity: 1 }],
  success_url: "https://shop.test/done?s={CHECKOUT_SESSION_ID}",
});
assert.deepEqual([session.status, session.payment_status], ["open", "unpaid"]);
await stripe.checkout.sessions.expire(session.id);
const terms = await stripe.billingPortal.configurations.create({
  name: "plans",
  features: {
    invoice_history: { enabled: true },
    payment_method_update: { enabled: true },
    subscription_cancel: { enabled: true, mode: "at_period_end" },
    subscription_update: {
      enabled: true,
      default_allowed_updates: ["price"],
      proration_behavior: "always_invoice",
      products: [{ product: product.id, prices: [starter.id] }],
    },
  },
});
const portal = await stripe.billingPortal.sessions.create({
  customer: customer.id,
  configuration: terms.id,
  return_url: "https://shop.test/",
});
assert.ok(portal.url.startsWith(origin) && portal.configuration === terms.id, portal.url);

// The end of the subscription, at the end of its period.
plan = await stripe.subscriptions.update(plan.id, { cancel_at_period_end: true });
await advance(clock, plan.items.data[0].current_period_end);
assert.equal((await stripe.subscriptions.retrieve(plan.id)).status, "canceled");

// What was told meanwhile, page by page, and one event by itself.
const told = [];
for await (const event of stripe.events.list({ limit: 7 })) told.push(event);
for (const kind of [
  "customer.created",
  "payment_method.attached",
  "customer.subscription.created",
  "customer.subscription.updated",
  "customer.subscription.deleted",
  "invoice.created",
  "invoice.finalized",
  "invoice.paid",
  "invoice.payment_succeeded",
  "invoice_payment.paid",
  "payment_intent.succeeded",
  "payment_intent.payment_failed",
  "charge.refunded",
  "refund.created",
  "charge.dispute.created",
  "charge.dispute.funds_withdrawn",
  "checkout.session.expired",
  "billing_portal.configuration.created",
  "test_helpers.test_clock.ready",
]) {
  assert.ok(told.some((event) => event.type === kind), `no ${kind} among ${told.map((event) => event.type)}`);
}
assert.equal(told.filter((event) => event.type === "invoice.paid").length, 3, "a beginning, a renewal, an upgrade");
const first = told[told.length - 1];
assert.deepEqual((await stripe.events.retrieve(first.id)).data, first.data);
console.log("the library had nothing to complain of");
