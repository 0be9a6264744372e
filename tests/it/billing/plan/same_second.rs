//! Two descriptions of a subscription within one second: what the events say about their order decides, else Stripe is
//! asked at once.

use serde_json::{Value, json};
use till::store::subscriptions;
use till::usecase::stripe_events::retry;
use till::usecase::users;

use crate::harness::canned;
use crate::harness::life::{Life, event, permutations};

fn subscription(status: &str, more: &Value) -> Value {
    let mut described = json!({ "id": "sub_1", "object": "subscription", "status": status, "created": 1_790_000_000,
        "customer": "cus_alice", "metadata": { "user_id": "alice" }, "items": { "data": [{ "id": "si_1",
        "price": { "id": "price_starter" }, "current_period_end": 1_792_592_000 }] } });
    described.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    described
}

fn created(status: &str) -> Value {
    event("created", "customer.subscription.created", 5, subscription(status, &json!({})))
}

fn updated(id: &str, described: Value, previous: Value) -> Value {
    let mut updated = event(id, "customer.subscription.updated", 5, described);
    if !previous.is_null() {
        updated["data"]["previous_attributes"] = previous;
    }
    updated
}

fn silent(id: &str, status: &str) -> Value {
    updated(id, subscription(status, &json!({})), Value::Null)
}

/// The status, and whether it is set to end, once these events were heard and no timer had its turn.
fn shown(stripe: &str, events: &[Value]) -> (String, bool) {
    let life = Life::begin(stripe);
    events.iter().for_each(|event| life.hear(event));
    let subscription = users::show(&life.app, "alice").unwrap().subscription.unwrap();
    (subscription.status, subscription.ends_at.is_some())
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

/// Nobody answers there: what is decided is decided by the events alone.
const NOWHERE: &str = "http://127.0.0.1:9";

#[test]
fn what_an_event_says_it_changed_decides_at_once_in_any_order() {
    let plain = |status: &str| subscription(status, &json!({}));
    let ending = |status: &str| subscription(status, &json!({ "cancel_at": 1_792_592_000 }));
    let other_plan = json!({ "items": { "data": [{ "id": "si_1", "price": { "id": "price_pro" } }] } });
    let rows: &[(&str, Vec<Value>, (&str, bool))] = &[
        (
            "created and paid",
            vec![created("incomplete"), updated("paid", plain("active"), json!({ "status": "incomplete" }))],
            ("active", false),
        ),
        (
            "created and changed, without a word about what",
            vec![created("incomplete"), silent("paid", "active")],
            ("active", false),
        ),
        (
            "two changes after an earlier state",
            vec![
                updated("late", plain("past_due"), json!({ "status": "active" })),
                updated("end", ending("past_due"), json!({ "cancel_at": null })),
            ],
            ("past_due", true),
        ),
        (
            "a change of the plan and of its end",
            vec![
                updated("plan", plain("active"), other_plan),
                updated("end", ending("active"), json!({ "cancel_at": null, "latest_invoice": "in_0" })),
            ],
            ("active", true),
        ),
    ];
    for (what, events, expected) in rows {
        for order in permutations(events) {
            let (status, ends) = shown(NOWHERE, &order);
            assert_eq!((status.as_str(), ends), *expected, "{what}, heard as {:?}", ids(&order));
        }
    }
}

#[test]
fn where_the_events_do_not_tell_stripe_is_asked_at_once() {
    let answer = subscription("past_due", &json!({}));
    let stripe = canned::start(vec![("/v1/subscriptions/sub_1", "200 OK", answer.to_string())]);
    let undone = |id: &str, status: &str, before: &str| {
        updated(id, subscription(status, &json!({})), json!({ "status": before }))
    };
    for events in [
        vec![silent("one", "active"), silent("two", "past_due"), silent("three", "unpaid")],
        // To and fro within a second: each says that it came after the other.
        vec![undone("one", "past_due", "active"), undone("two", "active", "past_due")],
    ] {
        for order in permutations(&events) {
            assert_eq!(shown(&stripe, &order), ("past_due".to_owned(), false), "heard as {:?}", ids(&order));
        }
    }
}

/// A state that comes back counts from its last description on: what is told late of the time between changes nothing.
#[test]
fn a_state_that_comes_back_is_not_undone_by_what_was_between() {
    let at = |id: &str, status: &str, second: i64| {
        event(id, "customer.subscription.updated", second, subscription(status, &json!({})))
    };
    let events = [at("one", "active", 1), at("two", "past_due", 2), at("three", "active", 3)];
    for order in permutations(&events) {
        assert_eq!(shown(NOWHERE, &order).0, "active", "heard as {:?}", ids(&order));
    }
}

#[test]
fn while_stripe_is_away_the_question_stays_open_for_the_timer() {
    let life = Life::begin(NOWHERE);
    life.hear(&silent("one", "active"));
    life.hear(&silent("two", "past_due"));
    let unsure = life.app.store.read(|tx| subscriptions::unsure(tx, 10)).unwrap();
    assert_eq!(unsure, ["sub_1"]);
    assert!(retry::ask_about_ambiguous(&life.app).is_err());
}

/// One of which Stripe knows nothing is asked about once, and one whose answer cannot be read holds up no other.
#[test]
fn a_subscription_without_an_answer_holds_up_no_other() {
    let other = |mut described: Value| {
        described["id"] = "sub_2".into();
        described
    };
    let stripe = canned::start(vec![
        ("/v1/subscriptions/sub_0", "200 OK", "{}".to_owned()),
        ("/v1/subscriptions/sub_2", "200 OK", other(subscription("past_due", &json!({}))).to_string()),
    ]);
    let life = Life::begin(&stripe);
    for id in ["sub_0", "sub_1", "sub_2"] {
        for status in ["active", "past_due"] {
            let mut told = silent(&format!("{id}_{status}"), status);
            told["data"]["object"]["id"] = id.into();
            life.hear(&told);
        }
    }
    let unsure = || life.app.store.read(|tx| subscriptions::unsure(tx, 10)).unwrap();
    assert_eq!(unsure(), ["sub_0"], "asked at once");
    let later = life.clock.now().plus_seconds(1);
    life.app.store.write(move |tx| subscriptions::mark_unsure(tx, "sub_1", later)).unwrap();
    life.app.store.write(move |tx| subscriptions::mark_unsure(tx, "sub_2", later)).unwrap();
    assert!(retry::ask_about_ambiguous(&life.app).is_err());
    assert_eq!(unsure(), ["sub_0"]);
}
