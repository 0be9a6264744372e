//! Erases a person: name, addresses, notes, sessions, and what Stripe's events say of them. What stays is the account's
//! number, its movements and payments, and digests, so that the books can still be proved.

use crate::actor::Actor;
use crate::app::App;
use crate::clock::{Deadline, Timestamp};
use crate::email::Email;
use crate::error::{Refused, Result};
use crate::id;
use crate::language::refusal::PersonRefusal;
use crate::store::{
    Tx, access, codes, customers, erasure, identities, mails, operators, passkeys, receipts, second_factors, sessions,
    subscriptions,
    users::{self, User},
};
use crate::stripe::client::LONGEST_WAIT;
use crate::usecase::audit;
use crate::usecase::checkout::one_plan::{is_subscription_due, pending_payments};
use crate::usecase::stripe_events::bodies::replace_bodies;
use crate::usecase::users::notes;

/// Rows that one transaction changes.
const BATCH: i64 = 200;
/// Former addresses of one person.
const ADDRESSES: i64 = 1000;

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
    erase_audit_words(app, &user)?;
    let (new_id, old_id) = (id::ordered_id("erased", now)?, user.id.clone());
    let (erased, known) = (new_id.clone(), user.clone());
    audit::write(app, move |tx, trail| {
        refuse_while_paying(tx, account, now)?;
        trail.add(tx, "user_erased", &new_id, None)?;
        let addresses = addresses_of(tx, &known)?;
        sessions::remove_of(tx, account)?;
        operators::remove(tx, account)?;
        codes::remove_of(tx, account)?;
        for address in &addresses {
            codes::remove_to(tx, address)?;
            mails::erase_to(tx, address, now)?;
        }
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
    // What was written meanwhile.
    erase_audit_words(app, &user)?;
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

/// The addresses that are the person's or were, in lower case: that was proved, that a program wrote, that letters went to.
fn addresses_of(tx: &mut dyn Tx, user: &User) -> Result<Vec<String>> {
    let proved = identities::address_of(tx, user.account)?.map(|address| address.written);
    let now = users::by_account(tx, user.account)?.email;
    let mut addresses = mails::addresses_of(tx, user.account, ADDRESSES)?;
    for address in [proved, user.email.clone(), now].into_iter().flatten() {
        // As letters are addressed, which may differ from how a program wrote it.
        addresses.extend(Email::parse(&address).map(|email| email.canonical().to_owned()));
        addresses.push(address.to_ascii_lowercase());
    }
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
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
    let find = |tx: &mut dyn Tx, after| erasure::audit_of(tx, actor.name(), after, BATCH);
    erase_rows(app, find, erasure::erase_audit_address)
}

/// What the audit says in words about the person, their tokens and their customers: details, and the reasons that operators
/// gave. That it was done, when and by whom stays.
fn erase_audit_words(app: &App, user: &User) -> Result<()> {
    let mut targets = vec![user.id.clone()];
    app.store.read(|tx| {
        targets.extend(access::tokens_of(tx, user.account)?.into_iter().map(|token| token.id));
        targets.extend(customers::of_account(tx, user.account)?);
        Ok(())
    })?;
    for target in &targets {
        let find = |tx: &mut dyn Tx, after| erasure::audit_about(tx, target, after, BATCH);
        erase_rows(app, find, erasure::erase_audit_words)?;
    }
    let whose = format!("to {}", user.id);
    let find = |tx: &mut dyn Tx, after| erasure::audit_saying(tx, ("event_assigned", &whose), after, BATCH);
    erase_rows(app, find, erasure::erase_audit_words)
}

/// Erases rows of the audit, in batches: those that `find` finds after a number.
fn erase_rows(
    app: &App,
    find: impl Fn(&mut dyn Tx, i64) -> Result<Vec<i64>>,
    erase: fn(&mut dyn Tx, i64) -> Result<()>,
) -> Result<()> {
    let mut after = 0;
    loop {
        let numbers = app.store.read(|tx| find(tx, after))?;
        let Some(last) = numbers.last() else { return Ok(()) };
        after = *last;
        app.store.write(move |tx| numbers.iter().try_for_each(|number| erase(tx, *number)))?;
    }
}
