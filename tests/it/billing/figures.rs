//! The figures of the shop follow what Stripe says, at the times that it states, month by month and currency by currency.

use std::process::Command;

use serde_json::{Value, json};
use till::clock::{Timestamp, parse_rfc3339};
use till::store::Figure;
use till::usecase::operator::figures::{month, overview};
use till::usecase::stripe_events::retry;

use crate::harness::life::{Life, event, permutations, stripe};
use crate::harness::process;

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
amount = 10000
units = 100
interval = "year"
price_id = "price_year"
[[pack]]
key = "topup_100"
name = "100"
amount = 900
units = 100
price_id = "price_topup_100"
"#;

fn at(time: &str) -> Timestamp {
    parse_rfc3339(time).unwrap()
}

/// An event of this time, about an object that was made then.
fn told(id: &str, kind: &str, time: &str, mut object: Value) -> Value {
    let seconds = at(time).seconds();
    object["created"] = json!(object["created"].as_i64().unwrap_or(seconds));
    let mut event = event(id, kind, 0, object);
    event["created"] = json!(seconds);
    event
}

fn pack(time: &str, payment: &str, amount: i64, currency: &str) -> Value {
    let session = json!({"id": format!("cs_test_{payment}"), "object": "checkout.session", "mode": "payment",
        "status": "complete", "payment_status": "paid", "payment_intent": format!("pi_{payment}"),
        "amount_total": amount, "amount_subtotal": amount, "currency": currency,
        "metadata": {"user_id": "alice", "plan": "topup_100"}});
    told(payment, "checkout.session.completed", time, session)
}

fn refund(time: &str, status: &str, created: &str) -> Value {
    let kind = if status == "failed" { "refund.failed" } else { "refund.created" };
    told(
        &format!("re_{status}"),
        kind,
        time,
        json!({"id": "re_1", "object": "refund", "status": status, "amount": 450, "currency": "usd",
            "payment_intent": "pi_one", "charge": "ch_1", "created": at(created).seconds()}),
    )
}

fn dispute(time: &str, status: &str, funds: &[(i64, &str)]) -> Value {
    let moves = funds.iter();
    let moves = moves
        .map(|(amount, time)| json!({"id": "txn", "amount": amount, "currency": "usd", "created": at(time).seconds()}));
    let kind = if status == "won" { "closed" } else { "funds_withdrawn" };
    told(
        &format!("du_{status}"),
        &format!("charge.dispute.{kind}"),
        time,
        json!({"id": "du_1", "object": "dispute", "status": status, "amount": 900, "currency": "usd",
            "charge": "ch_2", "payment_intent": "pi_two", "balance_transactions": moves.collect::<Vec<_>>()}),
    )
}

/// What a month says of a currency.
fn money(life: &Life, name: &str, currency: &str) -> Vec<(&'static str, i64)> {
    let found = month(&life.app, name).unwrap().into_iter().find(|month| month.currency == currency);
    let Some(found) = found else { return vec![] };
    let told = Figure::ALL.map(|figure| (figure.column(), found.get(figure)));
    told.into_iter().filter(|(_, amount)| *amount != 0).collect()
}

#[test]
fn money_is_counted_when_stripe_moved_it_and_each_currency_by_itself() {
    let stripe = stripe();
    let life = Life::begin_with(&stripe.url(), Some(CATALOG));
    for (now, told) in [
        // The last moment of a month, and the first of the next.
        ("2026-10-31T23:59:59.999Z", pack("2026-10-31T23:59:59Z", "one", 900, "usd")),
        ("2026-11-01T00:00:00Z", pack("2026-11-01T00:00:00Z", "two", 900, "usd")),
        ("2026-11-02T00:00:00Z", pack("2026-11-02T00:00:00Z", "yen", 1400, "jpy")),
        // Told days later, of the month before.
        ("2026-11-05T00:00:00Z", refund("2026-11-05T00:00:00Z", "succeeded", "2026-10-31T23:59:59Z")),
        ("2026-11-10T00:00:00Z", dispute("2026-11-10T00:00:00Z", "needs_response", &[(-900, "2026-11-09T00:00:00Z")])),
        ("2026-12-24T00:00:00Z", refund("2026-12-24T00:00:00Z", "failed", "2026-10-31T23:59:59Z")),
        (
            "2026-12-25T00:00:00Z",
            dispute("2026-12-25T00:00:00Z", "won", &[(-900, "2026-11-09T00:00:00Z"), (900, "2026-12-25T00:00:00Z")]),
        ),
    ] {
        life.clock.set(at(now));
        life.hear(&told);
        life.hear(&told);
        life.prove();
    }
    assert_eq!(
        money(&life, "2026-10", "usd"),
        [("packs", 900), ("refunded", 450), ("value_added", 900), ("units_left", 100)]
    );
    assert_eq!(
        money(&life, "2026-11", "usd"),
        [("packs", 900), ("withheld", 900), ("value_added", 900), ("value_reversed", 1350), ("units_left", -50)]
    );
    assert_eq!(
        money(&life, "2026-12", "usd"),
        [("refunded", -450), ("reinstated", 900), ("value_reversed", -1350), ("units_left", 150)]
    );
    assert_eq!(money(&life, "2026-11", "jpy"), [("packs", 1400), ("value_added", 1400), ("units_left", 100)]);
    assert_eq!(money(&life, "2026-11", ""), [("bought", 200), ("reversed", 150)]);
    assert_eq!(money(&life, "2027-01", ""), []);
    let seen = overview(&life.app, 3).unwrap();
    let owed: Vec<_> = seen.outstanding.iter().map(|owed| (owed.currency.as_str(), owed.units, owed.value)).collect();
    assert_eq!(owed, [("jpy", 100, 1400), ("usd", 200, 1800)]);
    let nets: Vec<_> =
        seen.months.iter().map(|month| (month.month.as_str(), month.net())).filter(|net| net.1 != 0).collect();
    assert_eq!(nets, [("2026-12", 1350), ("2026-11", 1400), ("2026-10", 450)], "{:?}", seen.months);

    // Months are UTC, wherever the machine believes to be.
    let folder = life.close();
    let said = |zone: &str, line: &[&str]| {
        let mut till = Command::new(process::binary());
        till.args(line).env_clear().env("TZ", zone).env("SPRITE_DATABASE", folder.database("till.db"));
        let output = till.current_dir(folder.path("")).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    for zone in ["UTC", "Pacific/Kiritimati", "America/Los_Angeles", "Nowhere/Never"] {
        let (code, text) = said(zone, &["revenue", "--month", "2026-10", "--json"]);
        let found: Value = serde_json::from_str(&text).unwrap();
        let row = &found["months"][0];
        assert_eq!(
            (code, &row["topups"], &row["refunded"], &row["net"]),
            (Some(0), &json!(900), &json!(450), &json!(450))
        );
        assert_eq!(found["months"].as_array().unwrap().len(), 1);
        assert_eq!(found["units"][0]["bought"], 100);
    }
    let (_, text) = said("UTC", &["revenue", "--month", "2026-11"]);
    assert!(
        text.contains("2026-11  jpy       0      1400") && text.contains("2026-11  usd       0.00   9.00"),
        "{text}"
    );
    assert_eq!(said("UTC", &["revenue", "--month", "1999-01"]), (Some(0), "Nothing was sold.\n".to_owned()));
    for bad in ["2026", "2026-13", "november", "2026-11-01", ""] {
        let (code, text) = said("UTC", &["revenue", "--month", bad]);
        assert!(code == Some(2) && text.contains("such as 2026-11"), "{bad}: {code:?} {text}");
    }
}

#[test]
fn in_whatever_order_refunds_are_told_the_money_is_the_same() {
    let stripe = stripe();
    let charge = json!({"id": "ch_1", "object": "charge", "status": "succeeded", "amount": 900,
        "amount_refunded": 900, "refunded": true, "currency": "usd", "payment_intent": "pi_one"});
    let events = [
        pack("2026-09-01T00:00:00Z", "one", 900, "usd"),
        refund("2026-09-02T00:00:00Z", "pending", "2026-09-02T00:00:00Z"),
        refund("2026-09-03T00:00:00Z", "failed", "2026-09-02T00:00:00Z"),
        told("charge", "charge.refunded", "2026-09-03T00:00:00Z", charge),
    ];
    for order in permutations(&events) {
        let life = Life::begin_with(&stripe.url(), Some(CATALOG));
        order.iter().for_each(|event| life.hear(event));
        life.prove();
        // Stripe stated 900 in all: the refund that failed, and 450 that it did not name.
        let found = money(&life, "2026-09", "usd");
        assert!(found.contains(&("packs", 900)) && found.contains(&("refunded", 450)), "{found:?}");
    }
}

#[test]
fn what_a_year_cost_is_earned_month_by_month_to_the_last_cent() {
    let stripe = stripe();
    let life = Life::begin_with(&stripe.url(), Some(CATALOG));
    life.clock.set(at("2027-01-31T10:00:00Z"));
    let (start, end) = (at("2027-01-31T10:00:00Z").seconds(), at("2028-01-31T10:00:00Z").seconds());
    life.hear(&told(
        "year",
        "invoice.paid",
        "2027-01-31T10:00:00Z",
        json!({"id": "in_year", "object": "invoice", "status": "paid", "billing_reason": "subscription_create",
            "amount_paid": 10000, "total": 10000, "currency": "usd", "payment_intent": "pi_year",
            "subscription": "sub_1", "subscription_details": {"metadata": {"user_id": "alice"}},
            "lines": {"object": "list", "has_more": false, "data": [{"id": "il_1", "amount": 10000, "quantity": 1,
                "price": {"id": "price_year"}, "period": {"start": start, "end": end}}]}}),
    ));
    assert_eq!(money(&life, "2027-01", "usd"), [("plans", 10000), ("value_added", 833), ("units_left", 100)]);
    life.clock.set(at("2028-02-01T00:00:00Z"));
    while retry::allot_due(&life.app).unwrap() > 0 {}
    life.prove();
    let seen = overview(&life.app, 1200).unwrap();
    let [owed] = seen.outstanding.as_slice() else { panic!("{:?}", seen.outstanding) };
    assert_eq!((owed.units, owed.value), (1200, 10000));
}
