//! The way from Stripe to us where no webhook is taken: whether our key may read the list of events, whether the running
//! service has read it lately, and what that costs. An endpoint at Stripe that leads here all the same fails with each event.

use super::PATIENCE;
use super::finding::{Finding, bad, good, open};
use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::store::Lock;
use crate::stripe::{EventFilter, Stripe};
use crate::usecase::stripe_events::reconcile::poll;

const POLLING: &str = "polling";

/// What is found instead of endpoints, a public URL and deliveries.
pub(super) fn polling(app: &App, stripe: &Stripe) -> Vec<Finding> {
    let mut found = vec![match stripe.list_events(&EventFilter::default(), Deadline::after(PATIENCE)) {
        Ok(_) => lately(app).unwrap_or_else(|error| bad(POLLING, error.to_string())),
        Err(error) => bad(POLLING, format!("Stripe's events cannot be read: {}", error.to_operator())),
    }];
    found.extend(endpoint(app, stripe));
    found
}

/// Whether the service asked lately.
fn lately(app: &App) -> Result<Finding> {
    let interval = app.config.stripe.poll_interval;
    let seconds = interval.as_secs();
    let cost = format!(
        "no webhook secret is set, so what happens at Stripe is booked up to {seconds} s later. Stripe keeps events for 30 \
         days: after a longer stop, run till reconcile --since"
    );
    let age = poll::polled_at(app)?.map(|at| app.clock.now().millis().saturating_sub(at.millis()).max(0) / 1000);
    let is_late = age.is_none_or(|age| u64::try_from(age).unwrap_or(0) > poll::late_after(interval).as_secs());
    let last = age.map_or_else(|| "has never told its events".to_owned(), |age| format!("told its events {age} s ago"));
    Ok(match (is_late, Lock::holder(app.store.database())) {
        (false, _) => good(POLLING, format!("Stripe {last}; {cost}")),
        (true, None) => open(POLLING, format!("Stripe {last}, and nobody serves on this database; {cost}")),
        (true, Some(_)) => bad(
            POLLING,
            format!(
                "Stripe {last}, although till serve asks every {seconds} s: its log has polling_failed, with the reason"
            ),
        ),
    })
}

fn endpoint(app: &App, stripe: &Stripe) -> Option<Finding> {
    let what = "webhook endpoint";
    let url = app.url("/billing/webhook");
    let all = match stripe.webhook_endpoints(Deadline::after(PATIENCE)) {
        Ok(all) => all,
        Err(error) => return Some(bad(what, error.to_operator())),
    };
    let here = all.into_iter().find(|endpoint| endpoint.is_enabled && endpoint.leads_to(&url))?;
    let id = here.id;
    Some(bad(
        what,
        format!(
            "{id} leads here, where no webhook is taken, so every event fails there: set SPRITE_STRIPE_WEBHOOK_SECRET to its \
             signing secret, or end it with till stripe setup --no-webhook --disable {id}"
        ),
    ))
}
