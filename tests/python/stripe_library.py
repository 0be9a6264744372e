"""A year in the life of a subscriber, told with Stripe's own library to the stand-in for Stripe.

Usage: stripe_library.py ORIGIN. Run by tests/it/sandbox/stripe_library.rs. Nothing here may know that it is a stand-in.
"""

import sys

import stripe

stripe.api_key = "sk_test_of_the_library"
stripe.api_base = sys.argv[1]
stripe.max_network_retries = 0

START = 1_790_000_000
DAY = 24 * 60 * 60


def equal(what, found, expected):
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"


def advance(clock, to):
    stripe.test_helpers.TestClock.advance(clock.id, frozen_time=to)
    equal("the clock", stripe.test_helpers.TestClock.retrieve(clock.id).status, "ready")


# What is on sale.
product = stripe.Product.create(name="Pictures", metadata={"app": "till"})
starter, pro = (
    stripe.Price.create(
        product=product.id,
        currency="usd",
        unit_amount=amount,
        recurring={"interval": "month"},
        lookup_key=key,
    )
    for key, amount in (("starter", 900), ("pro", 2900))
)
equal("lookup", [row.id for row in stripe.Price.list(lookup_keys=["pro"]).data], [pro.id])

# A subscriber on a clock.
clock = stripe.test_helpers.TestClock.create(frozen_time=START, name="a year")
customer = stripe.Customer.create(email="a@example.org", test_clock=clock.id, metadata={"user_id": "alice"})
card = stripe.PaymentMethod.attach("pm_card_visa", customer=customer.id)
stripe.Customer.modify(customer.id, invoice_settings={"default_payment_method": card.id})
plan = stripe.Subscription.create(
    customer=customer.id,
    items=[{"price": starter.id}],
    metadata={"user_id": "alice"},
    expand=["latest_invoice.payments"],
    idempotency_key="subscribe-alice",
)
equal("status", plan.status, "active")
equal("first invoice", (plan.latest_invoice.billing_reason, plan.latest_invoice.amount_paid), ("subscription_create", 900))
intent = plan.latest_invoice.payments.data[0].payment.payment_intent

# A renewal.
first_end = plan["items"].data[0].current_period_end
advance(clock, first_end + 2 * 60 * 60)
plan = stripe.Subscription.retrieve(plan.id, expand=["latest_invoice"])
equal("renewal", (plan.latest_invoice.billing_reason, plan.latest_invoice.status), ("subscription_cycle", "paid"))
equal("period", plan["items"].data[0].current_period_start, first_end)

# An upgrade in the middle of the period, prorated and paid at once.
item = plan["items"].data[0]
middle = (item.current_period_start + item.current_period_end) // 2
advance(clock, middle)
plan = stripe.Subscription.modify(
    plan.id,
    items=[{"id": item.id, "price": pro.id}],
    proration_behavior="always_invoice",
    expand=["latest_invoice.lines"],
)
invoice = plan.latest_invoice
equal("upgrade", (invoice.billing_reason, invoice.total, invoice.status), ("subscription_update", 1000, "paid"))
lines = [(line.amount, line.parent.invoice_item_details.proration) for line in invoice.lines.auto_paging_iter()]
equal("prorations", lines, [(-450, True), (1450, True)])
payment = stripe.InvoicePayment.list(invoice=invoice.id).data[0]
equal("its payment", (payment.status, payment.amount_paid), ("paid", 1000))

# A refund in part, and more than there is.
refund = stripe.Refund.create(payment_intent=intent, amount=300, reason="requested_by_customer")
equal("refund", (refund.status, refund.amount), ("succeeded", 300))
charge = stripe.Charge.retrieve(refund.charge)
equal("charge", (charge.amount_refunded, charge.refunded), (300, False))
try:
    stripe.Refund.create(payment_intent=intent, amount=601)
    raise AssertionError("more was refunded than paid")
except stripe.InvalidRequestError as error:
    equal("refused", error.param, "amount")

# A card that fails, and a top-up that is disputed.
try:
    stripe.PaymentIntent.create(amount=900, currency="usd", payment_method="pm_card_chargeDeclined", confirm=True)
    raise AssertionError("a declined card paid")
except stripe.CardError as error:
    equal("declined", (error.code, error.http_status), ("card_declined", 402))
top_up = stripe.PaymentIntent.create(
    amount=2000,
    currency="usd",
    payment_method="pm_card_createDispute",
    confirm=True,
    automatic_payment_methods={"enabled": True, "allow_redirects": "never"},
)
disputes = stripe.Dispute.list(payment_intent=top_up.id).data
equal("dispute", [(row.status, row.amount) for row in disputes], [("needs_response", 2000)])

# A page to pay on, and one to cancel on.
session = stripe.checkout.Session.create(
    mode="subscription",
    customer=customer.id,
    line_items=[{"price": starter.id, "quantity": 1}],
    success_url="https://shop.test/done?s={CHECKOUT_SESSION_ID}",
)
equal("session", (session.status, session.payment_status), ("open", "unpaid"))
stripe.checkout.Session.expire(session.id)
portal = stripe.billing_portal.Session.create(customer=customer.id, return_url="https://shop.test/")
assert portal.url.startswith(stripe.api_base)

# The end of the subscription, at the end of its period.
plan = stripe.Subscription.modify(plan.id, cancel_at_period_end=True)
advance(clock, plan["items"].data[0].current_period_end)
equal("ended", stripe.Subscription.retrieve(plan.id).status, "canceled")

# What was told meanwhile, page by page.
told = [event.type for event in stripe.Event.list(limit=7).auto_paging_iter()]
for kind in (
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
    "test_helpers.test_clock.ready",
):
    assert kind in told, f"no {kind} among {sorted(set(told))}"
equal("renewals and upgrades", told.count("invoice.paid"), 3)
print("the library had nothing to complain of")
