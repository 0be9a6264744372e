//! What is on sale, compared with what Stripe would charge, and the plans that the customer portal offers.

use super::PATIENCE;
use super::finding::{Finding, bad, good};
use crate::app::App;
use crate::catalog::{Interval, Offer, price_id_variable};
use crate::clock::Deadline;
use crate::stripe::Stripe;
use crate::stripe::portal::PRODUCTS_LIMIT;
use crate::stripe::setup::PricedProduct;
use crate::usecase::operator::kept_prices::{self, PriceDifference};
use crate::usecase::operator::stripe_account::mode_word;

fn what(offer: Offer<'_>) -> String {
    format!("price of {}", offer.key())
}

fn no_price(offer: Offer<'_>) -> Finding {
    bad(&what(offer), format!("is not set: {}, or till stripe setup", price_id_variable(offer.key())))
}

/// The finding of an offer that nobody can buy, because its price is not set.
pub(super) fn unset(offer: Offer<'_>) -> Option<Finding> {
    offer.price_id().is_none().then(|| no_price(offer))
}

pub(super) fn price(app: &App, stripe: &Stripe, offer: Offer<'_>) -> Finding {
    let what = what(offer);
    let Some(id) = offer.price_id() else { return no_price(offer) };
    match stripe.priced_product(id, Deadline::after(PATIENCE)) {
        Ok(priced) => {
            let kept = match kept_prices::refresh(app, offer.key(), &priced.price) {
                Ok(different) => different.iter().map(in_words).collect::<String>(),
                Err(error) => return bad(&what, error.to_string()),
            };
            match differences(app, stripe, offer, &priced) {
                different if different.is_empty() => good(&what, format!("{id} is as the catalogue says{kept}")),
                different => bad(&what, format!("{id} {}{kept}", different.join(", "))),
            }
        }
        Err(error) if error.is_missing() => {
            let mode = mode_word(stripe.is_live());
            bad(&what, format!("{id} does not exist in this account's {mode} mode: till stripe setup"))
        }
        Err(error) => bad(&what, error.to_operator()),
    }
}

/// What was kept of a price and is no longer so.
fn in_words(different: &PriceDifference) -> String {
    let PriceDifference { currency, expected, charged, .. } = different;
    format!("; {expected} {currency} was kept of it, and it costs {charged} now: that is kept from now on")
}

fn differences(app: &App, stripe: &Stripe, offer: Offer<'_>, priced: &PricedProduct) -> Vec<String> {
    let price = &priced.price;
    let mut different = vec![];
    if price.active == Some(false) {
        different
            .push("is archived at Stripe: nobody can buy it (till stripe setup finds or makes another)".to_owned());
    }
    if priced.is_product_active == Some(false) {
        let product = price.product.as_deref().unwrap_or("its product");
        different.push(format!(
            "belongs to {product}, which is archived at Stripe: nobody can buy it (till stripe setup activates it)"
        ));
    }
    if price.unit_amount != Some(offer.amount()) {
        let theirs = price.unit_amount.map_or_else(|| "no fixed amount".to_owned(), |amount| amount.to_string());
        different.push(format!("costs {theirs} at Stripe and {} in the catalogue", offer.amount()));
    }
    if price.currency.as_deref() != Some(app.catalog.currency.as_str()) {
        different.push(format!("is in {} at Stripe", price.currency.as_deref().unwrap_or("no currency")));
    }
    if app.catalog.selling.automatic_tax && price.tax_behavior == "unspecified" {
        different
            .push("does not say whether tax is contained, which automatic_tax needs: till stripe setup".to_owned());
    }
    if price.interval != interval(offer).unwrap_or_default() {
        let theirs = if price.interval.is_empty() { "paid once" } else { price.interval.as_str() };
        different.push(format!("is {theirs} at Stripe"));
    }
    if let Some(count) = price.interval_count.filter(|count| *count != 1) {
        let interval = &price.interval;
        different.push(format!("is paid every {count} {interval}s at Stripe and every {interval} in the catalogue"));
    }
    if priced.is_metered {
        different.push("is billed by reported use at Stripe: nobody can buy it".to_owned());
    }
    if price.livemode.is_some_and(|is_live| is_live != stripe.is_live()) {
        different.push("is of the other mode".to_owned());
    }
    different
}

/// Stripe's word for how often it is paid; `None` for a pack.
fn interval(offer: Offer<'_>) -> Option<&'static str> {
    match offer {
        Offer::Plan(plan) if plan.interval == Interval::Year => Some("year"),
        Offer::Plan(_) => Some("month"),
        Offer::Pack(_) => None,
    }
}

/// Whether customers can change between the plans on sale; nothing is said where there are none.
pub(super) fn portal(app: &App, stripe: &Stripe) -> Option<Finding> {
    let what = "customer portal";
    let plans = app.catalog.for_sale().filter(|offer| matches!(offer, Offer::Plan(_)));
    let plans: Vec<Offer<'_>> = plans.take(PRODUCTS_LIMIT).collect();
    if plans.is_empty() {
        return None;
    }
    let found = match stripe.portal_configurations(Deadline::after(PATIENCE)) {
        Ok(found) => found,
        Err(error) => return Some(bad(what, error.to_operator())),
    };
    let prices = plans.iter().filter_map(|offer| offer.price_id());
    Some(match (found.ours, found.default) {
        (Some(ours), _) if ours.offers(prices) => good(what, format!("{} has the plans on sale", ours.id)),
        (Some(ours), _) => bad(what, format!("{} has other plans than are on sale: till stripe setup", ours.id)),
        (None, Some(default)) if default.changes_plans => {
            good(what, format!("the account's own, {}, whose plans are set at Stripe", default.id))
        }
        (None, _) => bad(what, "there is none in which a plan can be changed: till stripe setup makes it".to_owned()),
    })
}
