//! The e-mail address and the name of a user's customer at Stripe, which receipts, the checkout and the portal show. A
//! change is stored in the transaction that makes it, and sent until Stripe has taken it or refused it for good.

use std::time::Duration;

use crate::app::App;
use crate::backoff::next_event_attempt;
use crate::clock::{Deadline, Timestamp};
use crate::error::Result;
use crate::id;
use crate::store::Tx;
use crate::store::customers::{self, ChangeOutcome, CustomerChange};
use crate::store::users::User;
use crate::stripe::{CustomerRequest, StripeError, StripeErrorKind};

/// Changes in one round of the timer.
const BATCH: i64 = 20;
/// Changes of one account that are sent before a checkout or the portal opens. More wait for the timer.
const BEFORE_A_PAGE: usize = 5;
/// How long Stripe may take for one change.
const PATIENCE: Duration = Duration::from_secs(5);

/// The e-mail address for Stripe; `None` where what is stored is more than one, or has a name beside it: then the buyer types it
/// at Stripe. Which address it takes is Stripe's to say.
pub(super) fn single_address(email: Option<&str>) -> Option<String> {
    let is_single = |email: &&str| !email.contains(|letter: char| letter.is_whitespace() || ",;<>".contains(letter));
    email.filter(is_single).map(str::to_owned)
}

/// Stores what differs between `before` and `after` for the user's customer, if there is one. What was taken away is unset there
/// by an empty value (Stripe, "Update a customer").
pub(crate) fn note(tx: &mut dyn Tx, before: &User, after: &User, now: Timestamp) -> Result<()> {
    let changed =
        |before: &Option<String>, after: &Option<String>| (before != after).then(|| after.clone().unwrap_or_default());
    let [was, is] = [before, after].map(|user| single_address(user.email.as_deref()));
    let email = changed(&was, &is);
    let name = changed(&before.name, &after.name);
    if email.is_none() && name.is_none() {
        return Ok(());
    }
    let request = CustomerRequest { email, name, metadata: vec![] };
    customers::add_change(tx, after.account, &id::ordered_id("change", now)?, &request.body(), now)
}

/// Sends the changes that are due. Returns how many were sent. If Stripe does not answer, the rest waits.
pub fn send_due(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = app.store.read(|tx| customers::due_changes(tx, now, BATCH))?;
    for (index, change) in due.iter().enumerate() {
        if !send(app, change, Deadline::after(PATIENCE))? {
            return Ok(index);
        }
    }
    Ok(due.len())
}

/// Sends what an account still has to send, so that the page that Stripe opens next shows it. If Stripe does not answer,
/// the timer sends it later.
pub(super) fn send_all_of(app: &App, account: i64, deadline: Deadline) -> Result<()> {
    for _ in 0..BEFORE_A_PAGE {
        let Some(change) = app.store.read(|tx| customers::first_change(tx, account))? else { return Ok(()) };
        if !send(app, &change, Deadline::after(PATIENCE.min(deadline.left())))? {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends one change. Returns whether Stripe answers, so that the next one may be sent.
fn send(app: &App, change: &CustomerChange, deadline: Deadline) -> Result<bool> {
    let CustomerChange { stripe_id, request_body, request_key, .. } = change;
    let now = app.clock.now();
    let outcome = match app.stripe()?.update_customer(stripe_id, request_body, request_key, deadline) {
        Ok(_) => ChangeOutcome::Taken,
        Err(error) => after_failure(change, &error, now)?,
    };
    let goes_on = !matches!(outcome, ChangeOutcome::Postponed { until, .. } if until > now);
    if outcome == ChangeOutcome::Refused {
        tracing::warn!(
            event = "customer_change_refused",
            customer = stripe_id,
            account = change.account,
            reason = "Stripe does not take the user's new e-mail address or name: correct it here"
        );
    }
    let change = change.clone();
    app.store.write(move |tx| customers::decide_change(tx, &change, &outcome, now))?;
    Ok(goes_on)
}

/// A failure that Stripe replays needs another key, which is tried at once the first time. What is wrong with our own
/// secret key the operator can put right, so the change waits for that.
fn after_failure(change: &CustomerChange, error: &StripeError, now: Timestamp) -> Result<ChangeOutcome> {
    let is_about_our_key = matches!(error.kind, StripeErrorKind::KeyRefused | StripeErrorKind::Forbidden { .. });
    let may_pass = is_about_our_key || error.kind == StripeErrorKind::Unavailable;
    Ok(match next_event_attempt(change.attempts + 1, now) {
        Some(until) if may_pass => {
            let key = match error.is_final() {
                true => id::ordered_id("change", now)?,
                false => change.request_key.clone(),
            };
            let until = if error.is_replayed && change.attempts == 0 { now } else { until };
            ChangeOutcome::Postponed { until, key }
        }
        _ => ChangeOutcome::Refused,
    })
}
