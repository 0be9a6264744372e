//! Units that live until their period ends: while the plan is kept they wait for the next period's, at most three days.

use serde_json::{Value, json};
use till::clock::parse_rfc3339;
use till::usecase::units::expire;

use crate::harness::life::{Life, event};

const CATALOG: &str = r#"
currency = "usd"
[[plan]]
key = "free"
amount = 0
units = 0
interval = "month"
[[plan]]
key = "small"
amount = 900
units = 100
interval = "month"
expiry = "period_end"
price_id = "price_small"
[[plan]]
key = "large"
amount = 2900
units = 500
interval = "month"
expiry = "period_end"
price_id = "price_large"
[[plan]]
key = "days"
amount = 500
units = 50
interval = "month"
expiry = 31
price_id = "price_days"
"#;

const JANUARY: [&str; 2] = ["2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"];
const FEBRUARY: [&str; 2] = ["2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z"];

fn seconds(time: &str) -> i64 {
    parse_rfc3339(time).unwrap().seconds()
}

fn line(id: &str, (plan, amount): (&str, i64), [start, end]: [&str; 2], proration: bool) -> Value {
    json!({"id": format!("il_{id}_{plan}_{amount}"), "amount": amount, "quantity": 1, "proration": proration,
        "subscription": "sub_1", "price": {"id": format!("price_{plan}")},
        "period": {"start": seconds(start), "end": seconds(end)}})
}

struct Story {
    life: Life,
    events: usize,
}

impl Story {
    fn begin() -> Story {
        Story::begin_with("")
    }

    /// With more at the end of the catalogue.
    fn begin_with(more: &str) -> Story {
        let life = Life::begin_with("http://127.0.0.1:1", Some(&format!("{CATALOG}{more}")));
        let story = Story { life, events: 0 };
        story.go_to(JANUARY[0]);
        story
    }

    fn go_to(&self, time: &str) {
        self.life.clock.set(parse_rfc3339(time).unwrap());
    }

    fn hear(&mut self, kind: &str, object: Value) {
        self.events += 1;
        let created = self.life.clock.now().seconds();
        let mut event = event(&self.events.to_string(), kind, 0, object);
        event["created"] = json!(created);
        self.life.hear(&event);
    }

    fn paid(&mut self, id: &str, plan: &str, [start, end]: [&str; 2]) {
        let amount = if plan == "small" { 900 } else { 2900 };
        self.paid_lines(id, amount, json!([line(id, (plan, amount), [start, end], false)]));
    }

    fn paid_lines(&mut self, id: &str, amount: i64, lines: Value) {
        let invoice = json!({"id": id, "object": "invoice", "status": "paid", "amount_paid": amount, "currency": "usd",
            "billing_reason": "subscription_cycle", "payment_intent": format!("pi_{id}"), "subscription": "sub_1",
            "subscription_details": {"metadata": {"user_id": "alice"}},
            "lines": {"object": "list", "has_more": false, "data": lines}});
        self.hear("invoice.paid", invoice);
    }

    fn subscription(&mut self, plan: &str, status: &str, more: Value) {
        let kind = if status == "canceled" { "customer.subscription.deleted" } else { "customer.subscription.updated" };
        let mut object = json!({"id": "sub_1", "object": "subscription", "status": status,
            "metadata": {"user_id": "alice"}, "created": seconds(JANUARY[0]), "cancel_at_period_end": false,
            "items": {"object": "list", "has_more": false, "data": [{"id": "si_1", "quantity": 1,
                "current_period_end": seconds(JANUARY[1]), "price": {"id": format!("price_{plan}")}}]}});
        for (key, value) in more.as_object().unwrap() {
            object[key] = value.clone();
        }
        self.hear(kind, object);
    }

    /// The balance at `time`, once the worker has been there, with the books proven.
    #[track_caller]
    fn has(&self, time: &str, units: i64) {
        self.go_to(time);
        expire::expire(&self.life.app).unwrap();
        self.life.prove();
        assert_eq!(self.life.remaining(), units, "{time}");
    }
}

#[test]
fn a_kept_plans_units_wait_for_the_next_periods_at_most_the_grace() {
    for status in ["active", "past_due", "trialing"] {
        let mut story = Story::begin();
        story.subscription("small", "active", json!({}));
        story.paid("in_1", "small", JANUARY);
        story.has("2027-01-31T23:59:59Z", 100);
        story.go_to(JANUARY[1]);
        story.subscription("small", status, json!({}));
        story.has("2027-02-01T01:00:00Z", 100);
        story.has("2027-02-03T23:59:59Z", 100);
        story.has("2027-02-04T00:00:00Z", 0);
        story.paid("in_2", "small", FEBRUARY);
        story.has("2027-02-04T00:00:01Z", 100);
    }
}

#[test]
fn the_catalogue_sets_the_grace() {
    for (grace, last, over) in [
        ("0d", "2027-01-31T23:59:59Z", "2027-02-01T00:00:00Z"),
        ("10d", "2027-02-10T23:59:59Z", "2027-02-11T00:00:00Z"),
        ("90d", "2027-05-01T23:59:59Z", "2027-05-02T00:00:00Z"),
    ] {
        let mut story = Story::begin_with(&format!("[selling]\ngrace = \"{grace}\"\n"));
        story.subscription("small", "active", json!({}));
        story.paid("in_1", "small", JANUARY);
        story.has(last, 100);
        story.has(over, 0);
    }
}

#[test]
fn the_next_periods_units_replace_those_that_waited_in_any_order() {
    let mut story = Story::begin();
    story.subscription("small", "active", json!({}));
    story.paid("in_1", "small", JANUARY);
    story.has("2027-02-01T00:00:05Z", 100);
    story.go_to("2027-02-01T01:00:00Z");
    story.paid("in_2", "small", FEBRUARY);
    assert_eq!(story.life.remaining(), 100, "at once, not at the worker's next round");
    story.has("2027-02-01T01:00:00Z", 100);
    story.has("2027-02-28T00:00:00Z", 100);

    // The renewal becomes known first: the period that has ended adds nothing.
    let mut story = Story::begin();
    story.subscription("small", "active", json!({}));
    story.go_to("2027-02-01T01:00:00Z");
    story.paid("in_2", "small", FEBRUARY);
    story.paid("in_1", "small", JANUARY);
    story.has("2027-02-01T01:00:01Z", 100);

    // The renewal comes before the worker has seen the end of the period.
    let mut story = Story::begin();
    story.subscription("small", "active", json!({}));
    story.paid("in_1", "small", JANUARY);
    story.go_to("2027-02-01T00:00:00Z");
    story.paid("in_2", "small", FEBRUARY);
    assert_eq!(story.life.remaining(), 100);
    story.has("2027-02-01T00:00:00Z", 100);
}

/// A change of the period before rides on the renewal, and its plan is the greater one.
#[test]
fn a_renewals_units_live_as_long_as_the_period_that_it_begins() {
    let mut story = Story::begin();
    story.subscription("small", "active", json!({}));
    story.paid("in_1", "small", JANUARY);
    story.go_to(FEBRUARY[0]);
    let half = ["2027-01-16T12:00:00Z", JANUARY[1]];
    let lines = json!([
        line("in_2", ("small", -450), half, true),
        line("in_2", ("large", 1450), half, true),
        line("in_2", ("small", 900), FEBRUARY, false),
    ]);
    story.paid_lines("in_2", 1900, lines);
    story.has("2027-02-05T00:00:00Z", 300);
    story.has("2027-02-28T23:59:59Z", 300);
}

#[test]
fn an_invoice_that_is_late_for_its_own_period_is_worth_the_grace() {
    for (heard, units) in [("2027-02-02T00:00:00Z", 100), ("2027-02-10T00:00:00Z", 0)] {
        let mut story = Story::begin();
        story.subscription("small", "active", json!({}));
        story.go_to(heard);
        story.paid("in_1", "small", JANUARY);
        story.has(heard, units);
    }
}

#[test]
fn what_is_not_kept_ends_with_its_period_or_at_once() {
    // Set to end with the period: there is no next one.
    let mut story = Story::begin();
    story.subscription("small", "active", json!({"cancel_at_period_end": true, "cancel_at": seconds(JANUARY[1])}));
    story.paid("in_1", "small", JANUARY);
    story.has("2027-01-31T23:59:59Z", 100);
    story.has("2027-02-01T00:00:00Z", 0);

    // Ended during the period, and ended or given up while its units waited.
    for (at, status) in [
        ("2027-01-20T00:00:00Z", "canceled"),
        ("2027-02-01T12:00:00Z", "canceled"),
        ("2027-02-01T12:00:00Z", "unpaid"),
        ("2027-02-01T12:00:00Z", "paused"),
    ] {
        let mut story = Story::begin();
        story.subscription("small", "active", json!({}));
        story.paid("in_1", "small", JANUARY);
        story.has(at, 100);
        story.subscription("small", status, json!({}));
        let left = if at < JANUARY[1] { 100 } else { 0 };
        assert_eq!(story.life.remaining(), left, "{status} at {at}");
        story.has("2027-02-01T12:00:00Z", 0);
    }
}

#[test]
fn a_dearer_plan_keeps_the_units_of_a_cheaper_one_and_a_cheaper_one_does_not() {
    for (from, to, kept) in [("small", "large", true), ("large", "small", false), ("small", "days", false)] {
        let mut story = Story::begin();
        story.subscription(from, "active", json!({}));
        story.paid("in_1", from, JANUARY);
        let units = story.life.remaining();
        story.go_to("2027-01-15T00:00:00Z");
        story.subscription(to, "active", json!({}));
        story.has("2027-01-31T23:59:59Z", units);
        story.has("2027-02-01T00:30:00Z", if kept { units } else { 0 });
        story.go_to("2027-02-01T01:00:00Z");
        if kept {
            story.paid("in_2", to, FEBRUARY);
            story.has("2027-02-01T01:00:00Z", 500);
        }
    }
}

#[test]
fn units_that_live_for_days_get_no_grace() {
    let mut story = Story::begin();
    story.subscription("days", "active", json!({}));
    story.paid("in_1", "days", JANUARY);
    assert!(story.life.remaining() > 0);
    story.has("2027-02-01T00:00:00Z", 0);
}
