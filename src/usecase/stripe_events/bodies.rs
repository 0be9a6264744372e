//! What Stripe sent, word for word, holds people's names and addresses, and is not needed for ever. The bodies of events
//! that had their effect are removed; what they did, and the columns of the inbox, stay. What gives back money of a payment
//! that was closed, or is not ours, keeps its body without people's data: the operator may still assign that payment.

use serde_json::Value;

use crate::app::App;
use crate::clock::DAY_SECONDS;
use crate::error::Result;
use crate::store::inbox;

/// How long the body of an event is kept once it was applied or ignored. Stripe itself keeps events for 30 days.
pub const BODY_DAYS: i64 = 90;
/// Bodies in one transaction.
const BATCH: i64 = 200;
/// Transactions in one call.
const BATCHES: usize = 200;

/// Fields of Stripe's objects that name people, or lead to what does.
const OF_PEOPLE: [&str; 17] = [
    "billing_details",
    "customer_address",
    "customer_details",
    "customer_email",
    "customer_name",
    "customer_phone",
    "customer_shipping",
    "customer_tax_ids",
    "description",
    "evidence",
    "memo",
    "payment_method_details",
    "pdf",
    "receipt_email",
    "receipt_url",
    "shipping",
    "source",
];

/// Removes or reduces the bodies that are old enough, in batches, so that other writes pass between. Returns how many.
pub fn remove_old(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let before = now.plus_seconds(-BODY_DAYS * DAY_SECONDS);
    let mut removed = 0;
    for _ in 0..BATCHES {
        let count = app.store.write(move |tx| {
            let kept = inbox::bodies_to_reduce(tx, before, BATCH)?;
            for (id, body) in &kept {
                inbox::reduce_body(tx, id, without_people(body).as_deref(), now)?;
            }
            Ok(inbox::remove_bodies(tx, before, BATCH)? + kept.len())
        })?;
        removed += count;
        if count == 0 {
            break;
        }
    }
    Ok(removed)
}

/// An event's body without what names people. `None` for what is no JSON.
fn without_people(body: &str) -> Option<String> {
    let mut body: Value = serde_json::from_str(body).ok()?;
    take_people_out(&mut body);
    Some(body.to_string())
}

fn take_people_out(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !OF_PEOPLE.contains(&name.as_str()));
            fields.values_mut().for_each(take_people_out);
        }
        Value::Array(values) => values.iter_mut().for_each(take_people_out),
        _ => {}
    }
}
