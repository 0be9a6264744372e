//! Erases a person: name, addresses, notes, sessions, and what Stripe's events say of them. What stays is the account's
//! number, its movements and payments, and digests, so that the books can still be proved.

use serde_json::Value;

use crate::actor::Actor;
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Refused, Result};
use crate::id;
use crate::store::erasure::{self, StoredBody};
use crate::store::{Tx, access, codes, identities, mails, receipts, sessions, subscriptions, users};
use crate::usecase::audit;
use crate::usecase::checkout::one_plan::pending_payments;
use crate::usecase::users::notes;

/// Rows that one transaction changes.
const BATCH: i64 = 200;

/// Fields of Stripe's objects that say who somebody is or where they live.
const PERSONAL: [&str; 17] = [
    "billing_details",
    "collected_information",
    "custom_fields",
    "customer_address",
    "customer_details",
    "customer_email",
    "customer_name",
    "customer_phone",
    "customer_shipping",
    "customer_tax_ids",
    "invoice_pdf",
    "hosted_invoice_url",
    "payment_method_details",
    "receipt_email",
    "receipt_url",
    "shipping",
    "shipping_details",
];
/// And those of a customer.
const OF_A_CUSTOMER: [&str; 6] = ["address", "email", "name", "phone", "individual_name", "business_name"];

/// Erases the person, for good. Refused while a subscription runs or a payment is on its way. Returns the id under which the
/// account stays.
pub fn erase(app: &App, user_id: &str) -> Result<String> {
    let now = app.clock.now();
    let user = app.store.read(|tx| {
        let user = users::by_id(tx, user_id)?;
        refuse_while_paying(tx, user.account, now)?;
        Ok(user)
    })?;
    let account = user.account;
    notes::erase(app, user_id)?;
    erase_bodies(app, account)?;
    let (new_id, old_id) = (id::ordered_id("erased", now)?, user.id.clone());
    let erased = new_id.clone();
    audit::write(app, move |tx, trail| {
        refuse_while_paying(tx, account, now)?;
        trail.add(tx, "user_erased", &new_id, None)?;
        let address = identities::address_of(tx, account)?;
        sessions::remove_of(tx, account)?;
        codes::remove_of(tx, account, address.as_ref().map(|address| address.written.as_str()))?;
        access::remove_links_of(tx, account)?;
        mails::erase(tx, account, now)?;
        receipts::erase(tx, account)?;
        identities::remove_address(tx, account)?;
        identities::remove_identities(tx, account)?;
        identities::remove_password(tx, account)?;
        erasure::erase_user(tx, account, &new_id, now)
    })?;
    erase_audit_addresses(app, &old_id)?;
    tracing::info!(event = "user_erased", user_id = erased);
    Ok(erased)
}

fn refuse_while_paying(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<()> {
    if !subscriptions::live_of(tx, account)?.is_empty() {
        let detail = "A subscription is running: cancel it first, and come back when it has ended. Nothing was erased.";
        return Err(Refused::Forbidden(detail.into()).into());
    }
    if !pending_payments(tx, account, now)?.is_empty() {
        let detail = "A payment is on its way: come back when it has arrived or failed. Nothing was erased.";
        return Err(Refused::Forbidden(detail.into()).into());
    }
    Ok(())
}

fn erase_bodies(app: &App, account: i64) -> Result<()> {
    let mut after = String::new();
    loop {
        let bodies = app.store.read(|tx| erasure::bodies_of(tx, account, &after, BATCH))?;
        let Some(last) = bodies.last() else { return Ok(()) };
        after.clone_from(&last.id);
        let changes: Vec<(String, Option<String>)> =
            bodies.iter().map(|stored| (stored.id.clone(), without_person(stored))).collect();
        app.store.write(move |tx| {
            changes.iter().try_for_each(|(id, body)| erasure::replace_body(tx, id, body.as_deref()))
        })?;
    }
}

/// The body without what says who somebody is; none where it is not needed any more.
fn without_person(stored: &StoredBody) -> Option<String> {
    if stored.is_done {
        return None;
    }
    let Ok(mut body) = serde_json::from_str::<Value>(&stored.body) else { return Some("{}".to_owned()) };
    redact(&mut body);
    Some(body.to_string())
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_customer = fields.get("object").is_some_and(|object| object == "customer");
            for (name, value) in fields.iter_mut() {
                let is_personal =
                    PERSONAL.contains(&name.as_str()) || (is_customer && OF_A_CUSTOMER.contains(&name.as_str()));
                match is_personal {
                    true => *value = Value::Null,
                    false => redact(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_still_needed_keeps_its_amounts_and_loses_the_person() {
        let body = json!({"type": "customer.updated", "data": {"object": {"object": "customer", "id": "cus_1",
            "name": "Ada", "email": "ada@example.org", "metadata": {"user_id": "u_1"}}, "items": [
            {"customer_details": {"email": "ada@example.org"}, "amount": 900, "name": "100 pictures"}]}});
        let stored = |is_done| StoredBody { id: "evt_1".into(), body: body.to_string(), is_done };
        let kept: Value = serde_json::from_str(&without_person(&stored(false)).unwrap()).unwrap();
        assert!(!kept.to_string().contains("Ada") && !kept.to_string().contains("ada@"), "{kept}");
        assert_eq!(kept["data"]["items"][0]["amount"], 900);
        assert_eq!(kept["data"]["items"][0]["name"], "100 pictures");
        assert_eq!(kept["data"]["object"]["metadata"]["user_id"], "u_1");
        assert_eq!(without_person(&stored(true)), None);
    }
}
