//! Whether anything in a Stripe object points here (`docs/rules.md`, rule 12). The same Stripe account may sell other
//! things: what has no sign of ours, and is known completely, is not asked about. One sign is enough to ask.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::error::Result;
use crate::store::{Tx, customers, orders, subscriptions};
use crate::stripe::{CheckoutSession, Invoice, PaymentIntent, Subscription};
use crate::usecase::stripe_events::apply::owner::user_by_reference;

/// What the ids of our products begin with: see `stripe::setup`.
const PRODUCT_PREFIX: &str = "till_";
/// What the ids of our orders begin with.
const ORDER_PREFIX: &str = "ord_";

/// Whether a paid checkout session is certainly not ours. Without its line items that is not certain.
pub(crate) fn is_foreign_session(tx: &mut dyn Tx, catalog: &Catalog, session: &CheckoutSession) -> Result<bool> {
    let Some(items) = session.line_items.as_ref().filter(|items| !items.has_more) else { return Ok(false) };
    let sells_ours = items.rows.iter().any(|item| is_ours(catalog, item.price.as_deref(), item.product.as_deref()));
    Ok(!sells_ours
        && orders::by_session(tx, &session.id)?.is_none()
        && !has_our_metadata(catalog, &session.metadata)
        && !is_known(tx, session.customer.as_deref())?
        && user_by_reference(tx, session.client_reference_id.as_deref())?.is_none())
}

/// Whether a paid invoice is certainly not ours. Without all of its lines that is not certain.
pub(crate) fn is_foreign_invoice(tx: &mut dyn Tx, catalog: &Catalog, invoice: &Invoice) -> Result<bool> {
    let sells_ours =
        invoice.lines.rows.iter().any(|line| is_ours(catalog, line.price.as_deref(), line.product.as_deref()));
    if invoice.lines.has_more || sells_ours {
        return Ok(false);
    }
    let is_subscribed = match &invoice.subscription {
        Some(id) => subscriptions::find(tx, id)?.is_some(),
        None => false,
    };
    Ok(!is_subscribed
        && !has_our_metadata(catalog, &invoice.metadata)
        && !has_our_metadata(catalog, &invoice.subscription_metadata)
        && !is_known(tx, invoice.customer.as_deref())?)
}

/// Whether a payment that neither a checkout nor an invoice made is certainly not ours.
pub(crate) fn is_foreign_payment(tx: &mut dyn Tx, catalog: &Catalog, intent: &PaymentIntent) -> Result<bool> {
    Ok(!has_our_metadata(catalog, &intent.metadata) && !is_known(tx, intent.customer.as_deref())?)
}

/// Whether a subscription is to something that is sold here, or till made it. A user's customer may subscribe to other
/// things too: those are no plan, and do not stand in the way of one.
pub(crate) fn is_our_subscription(catalog: &Catalog, subscription: &Subscription) -> bool {
    let items = &subscription.items;
    items.has_more
        || items.rows.iter().any(|item| is_ours(catalog, item.price.as_deref(), item.product.as_deref()))
        || has_our_metadata(catalog, &subscription.metadata)
}

fn is_ours(catalog: &Catalog, price: Option<&str>, product: Option<&str>) -> bool {
    price.is_some_and(|price| catalog.by_price(price).is_some())
        || product.is_some_and(|product| product.starts_with(PRODUCT_PREFIX))
}

fn is_known(tx: &mut dyn Tx, customer: Option<&str>) -> Result<bool> {
    match customer {
        Some(customer) => Ok(customers::account_of(tx, customer)?.is_some()),
        None => Ok(false),
    }
}

/// Whether till, or a program that works with it, may have written this metadata: it names a user, an order, or
/// something in the catalogue.
fn has_our_metadata(catalog: &Catalog, metadata: &BTreeMap<String, String>) -> bool {
    let names_order = metadata.get("order_id").is_some_and(|id| id.starts_with(ORDER_PREFIX));
    let names_offer = metadata.get("plan").is_some_and(|key| catalog.offer(key).is_some());
    metadata.contains_key("user_id") || names_order || names_offer
}
