//! What Stripe sent, word for word, holds people's names and addresses, and is not needed for ever. The bodies of events
//! that had their effect are removed; what they did, and the columns of the inbox, stay. What gives back money of a payment
//! that was closed, or is not ours, keeps its body without people's data: the operator may still assign that payment.

use serde_json::Value;

use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::Result;
use crate::store::erasure::{self, StoredBody};
use crate::store::{Tx, inbox};
use crate::usecase::batches;

/// How long the body of an event is kept once it was applied or ignored. Stripe itself keeps events for 30 days.
pub const BODY_DAYS: i64 = 90;
/// Bodies in one transaction.
const BATCH: i64 = 200;
/// Transactions in one call.
const BATCHES: usize = 200;

/// Fields of Stripe's objects that name people, or lead to what does.
const OF_PEOPLE: [&str; 21] = [
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
    "description",
    "evidence",
    "hosted_invoice_url",
    "invoice_pdf",
    "memo",
    "payment_method_details",
    "receipt_email",
    "receipt_url",
    "shipping",
    "shipping_details",
    "source",
];
/// And those of a customer.
const OF_A_CUSTOMER: [&str; 6] = ["address", "business_name", "email", "individual_name", "name", "phone"];

/// Removes or reduces the bodies that are old enough, in batches, so that other writes pass between. Returns how many.
pub fn remove_old(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let before = now.plus_seconds(-BODY_DAYS * DAY_SECONDS);
    batches::run(BATCHES, || {
        app.store.write(move |tx| {
            let kept = inbox::bodies_to_reduce(tx, before, BATCH)?;
            for (id, body) in &kept {
                inbox::reduce_body(tx, id, without_people(body).as_deref(), now)?;
            }
            Ok(inbox::remove_bodies(tx, before, BATCH)? + kept.len())
        })
    })
}

/// Removes bodies that are needed no more, and takes people out of the others.
pub(crate) fn replace_bodies(tx: &mut dyn Tx, bodies: &[StoredBody], now: Timestamp) -> Result<()> {
    bodies.iter().try_for_each(|stored| {
        let body =
            if stored.is_done { None } else { Some(without_people(&stored.body).unwrap_or_else(|| "{}".to_owned())) };
        erasure::replace_body(tx, &stored.id, body.as_deref(), now)
    })
}

/// An event's body without what names people. `None` for what is no JSON.
pub(super) fn without_people(body: &str) -> Option<String> {
    let mut body: Value = serde_json::from_str(body).ok()?;
    take_people_out(&mut body);
    Some(body.to_string())
}

fn take_people_out(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_customer = fields.get("object").is_some_and(|object| object == "customer");
            let names_people = |name: &str| OF_PEOPLE.contains(&name) || (is_customer && OF_A_CUSTOMER.contains(&name));
            fields.retain(|name, _| !names_people(name));
            fields.values_mut().for_each(take_people_out);
        }
        Value::Array(values) => values.iter_mut().for_each(take_people_out),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_still_needed_keeps_its_amounts_and_loses_the_person() {
        let body = json!({"type": "customer.updated", "data": {"object": {"object": "customer", "id": "cus_1",
            "name": "Ada", "email": "ada@example.org", "metadata": {"user_id": "u_1"}}, "items": [
            {"customer_details": {"email": "ada@example.org"}, "amount": 900, "name": "100 pictures"}]}});
        let kept: Value = serde_json::from_str(&without_people(&body.to_string()).unwrap()).unwrap();
        assert!(!kept.to_string().contains("Ada") && !kept.to_string().contains("ada@"), "{kept}");
        assert_eq!(kept["data"]["items"][0]["amount"], 900);
        assert_eq!(kept["data"]["items"][0]["name"], "100 pictures");
        assert_eq!(kept["data"]["object"]["metadata"]["user_id"], "u_1");
    }
}
