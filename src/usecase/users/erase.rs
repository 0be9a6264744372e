//! Erases a person: name, addresses, notes, sessions, and what Stripe's events say of them. What stays is the account's
//! number, its movements and payments, and digests, so that the books can still be proved.

use crate::actor::Actor;
use crate::app::App;
use crate::clock::{Deadline, Timestamp};
use crate::error::{Refused, Result};
use crate::id;
use crate::language::refusal::PersonRefusal;
use crate::store::{
    Tx, access, codes, customers, erasure, identities, mails, operators, passkeys, receipts, second_factors, sessions,
    subscriptions, users,
};
use crate::stripe::client::LONGEST_WAIT;
use crate::usecase::audit;
use crate::usecase::checkout::one_plan::{is_subscription_due, pending_payments};
use crate::usecase::stripe_events::bodies::replace_bodies;
use crate::usecase::users::notes;

/// Rows that one transaction changes.
const BATCH: i64 = 200;

/// Erases the person, for good. Refused while a subscription runs or a payment is on its way. Returns the id under which the
/// account stays. Nothing is done for somebody who was erased before.
pub fn erase(app: &App, user_id: &str) -> Result<String> {
    let now = app.clock.now();
    let user = app.store.read(|tx| {
        let user = users::by_id(tx, user_id)?;
        refuse_while_paying(tx, user.account, now)?;
        Ok(user)
    })?;
    let account = user.account;
    if app.store.read(|tx| erasure::is_erased(tx, account))? {
        return Ok(user.id);
    }
    notes::erase(app, user_id)?;
    erase_bodies(app, account)?;
    let (new_id, old_id) = (id::ordered_id("erased", now)?, user.id.clone());
    let erased = new_id.clone();
    audit::write(app, move |tx, trail| {
        refuse_while_paying(tx, account, now)?;
        trail.add(tx, "user_erased", &new_id, None)?;
        let address = identities::address_of(tx, account)?;
        sessions::remove_of(tx, account)?;
        operators::remove(tx, account)?;
        codes::remove_of(tx, account, address.as_ref().map(|address| address.written.as_str()))?;
        access::remove_links_of(tx, account)?;
        mails::erase(tx, account, now)?;
        receipts::erase(tx, account)?;
        identities::remove_address(tx, account)?;
        identities::remove_identities(tx, account)?;
        identities::remove_password(tx, account)?;
        passkeys::remove_of(tx, account)?;
        second_factors::remove(tx, account)?;
        erasure::erase_user(tx, account, &new_id, now)
    })?;
    erase_audit_addresses(app, &old_id)?;
    tracing::info!(event = "user_erased", user_id = erased);
    Ok(erased)
}

/// Deletes the customers of somebody who was erased at Stripe too. Returns their ids. Fails where Stripe does not answer or
/// refuses, and goes on from there when it is called again.
pub fn erase_at_stripe(app: &App, erased_id: &str) -> Result<Vec<String>> {
    let customers = app.store.read(|tx| {
        let account = users::by_id(tx, erased_id)?.account;
        customers::of_account(tx, account)
    })?;
    for customer in &customers {
        match app.stripe()?.delete_customer(customer, Deadline::after(LONGEST_WAIT)) {
            Ok(()) => {}
            Err(error) if error.is_missing() => {}
            Err(error) => {
                let detail = format!(
                    "The person is erased here, and Stripe has not deleted the customer {customer}: {error}. Do it again: \
                     till user erase {erased_id} --at-stripe"
                );
                return Err(Refused::Unavailable { retry_after: 60, detail }.into());
            }
        }
        let (id, customer, now) = (erased_id.to_owned(), customer.clone(), app.clock.now());
        audit::write(app, move |tx, trail| {
            customers::gone(tx, &customer, now)?;
            trail.add(tx, "customer_deleted", &id, customer.clone())
        })?;
    }
    Ok(customers)
}

fn refuse_while_paying(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<()> {
    if !subscriptions::live_of(tx, account)?.is_empty() || is_subscription_due(tx, account, now)? {
        return Err(PersonRefusal::SubscriptionRuns.into());
    }
    if !pending_payments(tx, account, now)?.is_empty() {
        return Err(PersonRefusal::PaymentUnderWay.into());
    }
    Ok(())
}

fn erase_bodies(app: &App, account: i64) -> Result<()> {
    let now = app.clock.now();
    let mut after = String::new();
    loop {
        let bodies = app.store.read(|tx| erasure::bodies_of(tx, account, &after, BATCH))?;
        let Some(last) = bodies.last() else { return Ok(()) };
        after.clone_from(&last.id);
        app.store.write(move |tx| replace_bodies(tx, &bodies, now))?;
    }
}

/// What the audit knows of where the person was.
fn erase_audit_addresses(app: &App, id: &str) -> Result<()> {
    let actor = Actor::user(id);
    let mut after = 0;
    loop {
        let numbers = app.store.read(|tx| erasure::audit_of(tx, actor.name(), after, BATCH))?;
        let Some(last) = numbers.last() else { return Ok(()) };
        after = *last;
        app.store.write(move |tx| numbers.iter().try_for_each(|number| erasure::erase_audit_address(tx, *number)))?;
    }
}
