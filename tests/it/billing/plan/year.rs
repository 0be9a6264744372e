//! A yearly plan: paid once, allotted month by month on the right days, and stopped by the refund of the year.

use serde_json::{Value, json};
use till::clock::parse_rfc3339;
use till::usecase::stripe_events::retry;

use crate::harness::life::{Life, event, stripe};

const CATALOG: &str = r#"
currency = "usd"
[unit]
singular = "picture"
plural = "pictures"
[[plan]]
key = "free"
name = "Free"
amount = 0
units = 0
interval = "month"
[[plan]]
key = "yearly"
name = "Yearly"
amount = 9000
units = 100
interval = "year"
price_id = "price_year"
"#;

fn seconds(time: &str) -> i64 {
    parse_rfc3339(time).unwrap().seconds()
}

fn year() -> Value {
    event(
        "year",
        "invoice.paid",
        0,
        json!({"id": "in_year", "object": "invoice", "status": "paid",
        "billing_reason": "subscription_create", "amount_paid": 9000, "currency": "usd", "payment_intent": "pi_year",
        "subscription": "sub_1", "subscription_details": {"metadata": {"user_id": "alice"}},
        "lines": {"object": "list", "has_more": false, "data": [{"id": "il_1", "amount": 9000, "quantity": 1,
            "price": {"id": "price_year"},
            "period": {"start": seconds("2027-01-31T10:00:00Z"), "end": seconds("2028-01-31T10:00:00Z")}}]}}),
    )
}

/// The balance once the time is `time` and the months that are due are allotted.
fn at(life: &Life, time: &str) -> i64 {
    life.clock.set(parse_rfc3339(time).unwrap());
    while retry::allot_due(&life.app).unwrap() > 0 {}
    life.prove();
    life.remaining()
}

#[test]
fn a_year_is_allotted_on_the_days_of_its_months() {
    let stripe = stripe();
    let life = Life::begin_with(&stripe.url(), Some(CATALOG));
    life.clock.set(parse_rfc3339("2027-01-31T10:00:00Z").unwrap());
    life.hear(&year());
    life.hear(&year());
    for (time, units) in [
        ("2027-01-31T10:00:00Z", 100),
        ("2027-02-28T09:59:59Z", 100),
        ("2027-02-28T10:00:00Z", 200),
        ("2027-03-30T23:00:00Z", 200),
        ("2027-03-31T10:00:00Z", 300),
        ("2027-12-31T10:00:00Z", 1200),
        ("2028-03-01T00:00:00Z", 1200),
    ] {
        assert_eq!(at(&life, time), units, "{time}");
    }
}

#[test]
fn a_refund_of_the_year_takes_what_was_allotted_and_stops_the_rest() {
    let stripe = stripe();
    for (refunded, after, later) in [(9000, 0, 0), (4500, 100, 600)] {
        let life = Life::begin_with(&stripe.url(), Some(CATALOG));
        life.clock.set(parse_rfc3339("2027-01-31T10:00:00Z").unwrap());
        life.hear(&year());
        assert_eq!(at(&life, "2027-02-28T10:00:00Z"), 200);
        life.hear(&event(
            "refund",
            "refund.created",
            0,
            json!({"id": "re_1", "object": "refund", "status": "succeeded",
            "amount": refunded, "currency": "usd", "payment_intent": "pi_year"}),
        ));
        assert_eq!(life.remaining(), after, "{refunded} refunded");
        for month in 3..=12 {
            at(&life, &format!("2027-{month:02}-28T23:00:00Z"));
        }
        assert_eq!(at(&life, "2028-02-01T00:00:00Z"), later, "{refunded} refunded, a year later");
    }
}

#[test]
fn a_month_that_falls_due_during_a_dispute_comes_as_soon_as_it_is_won() {
    let stripe = stripe();
    let life = Life::begin_with(&stripe.url(), Some(CATALOG));
    life.clock.set(parse_rfc3339("2027-01-31T10:00:00Z").unwrap());
    life.hear(&year());
    let dispute = |name: &str, kind: &str, status: &str| {
        let dispute = json!({"id": "du_1", "object": "dispute", "status": status, "amount": 9000, "currency": "usd",
            "charge": "ch_1", "payment_intent": "pi_year", "balance_transactions": []});
        event(name, &format!("charge.dispute.{kind}"), 0, dispute)
    };
    life.hear(&dispute("opened", "created", "needs_response"));
    assert_eq!(at(&life, "2027-02-28T10:00:01Z"), 0);
    life.hear(&dispute("closed", "closed", "won"));
    assert_eq!(at(&life, "2027-02-28T10:00:02Z"), 200);
    assert_eq!(at(&life, "2027-03-31T10:00:00Z"), 300);
}

#[test]
fn each_month_of_a_year_expires_as_the_first_does() {
    let stripe = stripe();
    for (expiry, balances) in [("\"period_end\"", [100, 100, 100]), ("45", [100, 200, 200])] {
        let catalog =
            CATALOG.replace("price_id = \"price_year\"", &format!("price_id = \"price_year\"\nexpiry = {expiry}"));
        let life = Life::begin_with(&stripe.url(), Some(&catalog));
        life.clock.set(parse_rfc3339("2027-01-31T10:00:00Z").unwrap());
        life.hear(&year());
        let times = ["2027-01-31T10:00:01Z", "2027-03-01T10:00:01Z", "2027-04-01T10:00:01Z"];
        assert_eq!(times.map(|time| at(&life, time)), balances, "{expiry}");
    }
}
