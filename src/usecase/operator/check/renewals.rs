//! The prices at which our customers' subscriptions will renew: a payment at one that the catalogue does not name gives
//! no units, and nobody notices before it is made.

use std::collections::BTreeMap;

use super::PATIENCE;
use super::finding::{Finding, bad, good};
use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::stripe::{Described, ListQuery, ListedKind, Stripe, StripeError, Subscription};
use crate::usecase::stripe_events::apply::{Clues, owner_of};

const WHAT: &str = "renewals";
/// Pages of subscriptions that are read: the newest 500.
const PAGES: usize = 5;

/// Whether each subscription of a customer of ours renews at a price of the catalogue. Nothing is said where there is none.
pub(super) fn renewals(app: &App, stripe: &Stripe) -> Option<Finding> {
    let running = match running(stripe) {
        Ok(running) => running,
        Err(error) => return Some(bad(WHAT, error.to_operator())),
    };
    let mut seen = 0;
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    for subscription in &running {
        match is_ours(app, subscription) {
            Ok(true) => seen += 1,
            Ok(false) => continue,
            Err(error) => return Some(bad(WHAT, error.to_string())),
        }
        let prices: Vec<&str> = subscription.items.rows.iter().filter_map(|item| item.price.as_deref()).collect();
        if let Some(first) = prices.first()
            && prices.iter().all(|price| app.catalog.by_price(price).is_none())
        {
            *unknown.entry((*first).to_owned()).or_default() += 1;
        }
    }
    match (seen, unknown.is_empty()) {
        (0, _) => None,
        (seen, true) => Some(good(WHAT, format!("the catalogue knows the price of all {seen} subscriptions"))),
        (_, false) => {
            let listed: Vec<String> = unknown.iter().map(|(price, count)| format!("{count} at {price}")).collect();
            let listed = listed.join(", ");
            Some(bad(
                WHAT,
                format!(
                    "subscriptions renew at a price that the catalogue does not name: {listed}. Their payments give no \
                     units: put each price into the older_price_ids of its plan"
                ),
            ))
        }
    }
}

/// Those that have not ended.
fn running(stripe: &Stripe) -> std::result::Result<Vec<Subscription>, StripeError> {
    let mut page = ListQuery::default();
    let mut running = vec![];
    for _ in 0..PAGES {
        let listed = stripe.list_objects(ListedKind::Subscriptions, &page, Deadline::after(PATIENCE))?;
        running.extend(listed.rows.into_iter().filter_map(|row| match row.ok()?.described {
            Described::Subscription(subscription) => Some(*subscription),
            _ => None,
        }));
        if !listed.has_more || listed.last_id.is_none() {
            break;
        }
        page.after = listed.last_id;
    }
    running.retain(|subscription| subscription.ended_at.is_none() && !is_over(&subscription.status));
    Ok(running)
}

fn is_over(status: &str) -> bool {
    matches!(status, "canceled" | "incomplete" | "incomplete_expired")
}

/// The account may sell other things as well.
fn is_ours(app: &App, subscription: &Subscription) -> Result<bool> {
    let clues = Clues {
        subscription: Some(&subscription.id),
        customer: subscription.customer.as_deref(),
        user_id: subscription.metadata.get("user_id").map(String::as_str),
        ..Clues::default()
    };
    Ok(app.store.read(|tx| owner_of(tx, clues))?.is_some())
}
