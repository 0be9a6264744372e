"""A subscription and a purchase, told with an older library of Stripe's to the stand-in for Stripe.

Usage: older_stripe_library.py ORIGIN. Run by tests/it/sandbox/stripe_library.rs. The library writes booleans as True and
False, and reads the fields of API version 2025-02-24 (acacia).
"""

import sys

import stripe

stripe.api_key = "sk_test_of_the_library"
stripe.api_base = sys.argv[1]
stripe.max_network_retries = 0


def equal(what, found, expected):
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"


equal("version", stripe.api_version, "2025-02-24.acacia")
product = stripe.Product.create(name="Pictures", active=True, images=["https://shop.test/a.png"], shippable=False)
monthly, once = (
    stripe.Price.create(product=product.id, currency="usd", unit_amount=900, **more)
    for more in ({"recurring": {"interval": "month"}}, {})
)
equal("a boolean filter", len(stripe.Price.list(active=True, product=product.id).data), 2)

# A customer with a card from the start. What is not set is None.
customer = stripe.Customer.create(
    email="a@example.org",
    payment_method="pm_card_visa",
    invoice_settings={"default_payment_method": "pm_card_visa"},
    shipping={"name": "Al", "address": {"line1": "Street 1", "city": "Rome"}},
    preferred_locales=["it"],
)
equal("what is null", (customer.phone, customer.default_source, customer.shipping.phone), (None, None, None))

# A subscription in the shape of its version.
plan = stripe.Subscription.create(
    customer=customer.id,
    items=[{"price": monthly.id}],
    off_session=True,
    expand=["latest_invoice.payment_intent", "latest_invoice.charge.balance_transaction"],
)
invoice = plan.latest_invoice
equal("the period", plan.current_period_end, plan["items"].data[0].current_period_end)
equal("the invoice", (invoice.subscription, invoice.paid, invoice.payment_intent.status), (plan.id, True, "succeeded"))
equal("the intent's invoice", invoice.payment_intent.invoice, invoice.id)
equal("the charge", (invoice.charge.amount, invoice.charge.balance_transaction.net), (900, 844))
equal("its line", [(line.price.id, line.type, line.proration) for line in invoice.lines], [(monthly.id, "subscription", False)])
equal("its items", [item.id for item in stripe.SubscriptionItem.list(subscription=plan.id)], [plan["items"].data[0].id])

# A session, before it is paid.
session = stripe.checkout.Session.create(
    mode="payment",
    line_items=[{"price": once.id, "quantity": 1, "adjustable_quantity": {"enabled": True, "maximum": 3}}],
    success_url="https://shop.test/done",
    allow_promotion_codes=True,
    invoice_creation={"enabled": True},
    phone_number_collection={"enabled": False},
    expand=["line_items", "total_details.breakdown"],
)
equal("what is null", (session.payment_intent, session.customer, session.client_reference_id), (None, None, None))
equal("its page", (session.ui_mode, session.cancel_url), ("hosted", None))
link = stripe.PaymentLink.create(line_items=[{"price": once.id, "quantity": 1}], allow_promotion_codes=False)
assert link.url.startswith(stripe.api_base)

# The lists of an account that has little.
for listed in (
    stripe.Account,
    stripe.BalanceTransaction,
    stripe.Payout,
    stripe.Plan,
    stripe.SetupIntent,
    stripe.SubscriptionSchedule,
    stripe.TaxId,
    stripe.TaxRate,
):
    assert list(listed.list(limit=3).auto_paging_iter()) is not None
stripe.Customer.list(expand=["data.sources", "data.subscriptions"])
stripe.Price.list(expand=["data.tiers"])
stripe.Coupon.list(expand=["data.applies_to"])

# Metadata on a cancelled subscription.
stripe.Subscription.cancel(plan.id)
equal("the note", stripe.Subscription.modify(plan.id, metadata={"why": "moved"}).metadata.why, "moved")
try:
    stripe.Price.create(product=product.id, currency="xxx", unit_amount=900)
    raise AssertionError("a currency that is none was taken")
except stripe.InvalidRequestError as error:
    equal("refused", error.param, "currency")
print("the library had nothing to complain of")
