//! Stripe does not answer: nobody waits for each of its answers in turn, and what is known is kept.

use serde_json::{Value, json};
use till::store::inbox::Status;
use till::store::open_invoices;
use till::usecase::stripe_events::{inbox, link, retry};

use crate::harness::Recorder;
use crate::harness::canned;
use crate::harness::life::{Life, event};

/// Nobody answers there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A paid session that somebody began elsewhere: what it bought, Stripe must be asked for.
fn bought(number: usize) -> Value {
    let session = json!({"id": format!("cs_test_{number}"), "object": "checkout.session", "mode": "payment",
        "status": "complete", "payment_status": "paid", "payment_intent": format!("pi_{number}"),
        "customer": "cus_stranger", "amount_total": 900, "currency": "usd", "metadata": {"plan": "topup_100"}});
    event(&number.to_string(), "checkout.session.completed", 0, session)
}

/// An appliance that has heard of these purchases, which nobody's are, and of which Stripe knows no more.
fn life_of_strangers(recorder: &Recorder) -> Life {
    recorder.lead_to(&canned::start(vec![]));
    let life = Life::begin(&recorder.url);
    (0..3).for_each(|number| life.hear(&bought(number)));
    assert_eq!(life.unmatched(), 3);
    life
}

/// Which paths were asked for since then, each once.
fn asked_since(recorder: &Recorder, before: usize) -> Vec<String> {
    let mut paths: Vec<String> = recorder.asked().into_iter().skip(before).map(|asked| asked.path).collect();
    paths.dedup();
    paths
}

#[test]
fn the_operator_does_not_wait_for_each_event_of_a_customer() {
    let recorder = Recorder::start();
    let life = life_of_strangers(&recorder);
    recorder.lead_to(NOWHERE);
    let before = recorder.asked().len();
    let refused = link::link(&life.app, "alice", "cus_stranger", false).unwrap_err().to_string();
    assert!(refused.starts_with("Stripe: ") && !refused.contains("Try again in a minute"), "{refused}");
    assert_eq!(asked_since(&recorder, before), ["/v1/customers/cus_stranger"]);

    let before = recorder.asked().len();
    let outcome = inbox::assign(&life.app, "evt_1", "alice", None).unwrap();
    assert_eq!(asked_since(&recorder, before), ["/v1/checkout/sessions/cs_test_1/line_items"]);
    assert_eq!((outcome.status, life.remaining()), (Status::Waiting, 0));
}

#[test]
fn the_timer_asks_once_and_tries_the_others_all_the_same() {
    let recorder = Recorder::start();
    let life = life_of_strangers(&recorder);
    recorder.lead_to(NOWHERE);
    (3..5).for_each(|number| life.hear(&bought(number)));
    life.clock.set(life.clock.now().plus_seconds(90));
    let before = recorder.asked().len();
    assert_eq!(retry::retry_due(&life.app).unwrap(), 2);
    assert_eq!(asked_since(&recorder, before), ["/v1/checkout/sessions/cs_test_3/line_items"]);
    for number in 3..5 {
        let row = inbox::show(&life.app, &format!("evt_{number}")).unwrap();
        assert_eq!((row.decision.status, row.attempts), (Status::Waiting, 2));
    }
}

fn late(id: &str, status: &str) -> Value {
    let subscription = json!({"id": "sub_1", "object": "subscription", "status": status, "created": 1_790_000_000,
        "customer": "cus_alice", "metadata": {"user_id": "alice"}, "latest_invoice": "in_1",
        "items": {"data": [{"id": "si_1", "price": {"id": "price_starter"}, "current_period_end": 1_792_592_000}]}});
    event(id, "customer.subscription.updated", 5, subscription)
}

#[test]
fn an_event_waits_for_one_silence_and_an_open_invoice_is_kept() {
    let recorder = Recorder::start();
    let invoice = json!({"id": "in_1", "object": "invoice", "status": "open", "amount_remaining": 900,
        "currency": "usd", "customer": "cus_alice", "created": 1_790_000_000, "attempt_count": 1,
        "hosted_invoice_url": "https://invoice.stripe.com/i/1",
        "lines": {"object": "list", "has_more": false, "data": []}});
    recorder.lead_to(&canned::start(vec![("/v1/invoices/in_1", "200 OK", invoice.to_string())]));
    let life = Life::begin(&recorder.url);
    life.hear(&late("one", "past_due"));
    let kept = || life.app.store.read(|tx| open_invoices::find(tx, "sub_1")).unwrap();
    let before_silence = kept();
    assert!(before_silence.is_some());

    recorder.lead_to(NOWHERE);
    let before = recorder.asked().len();
    // Of the same second, so that only Stripe can tell which of the two is the later one.
    life.hear(&late("two", "unpaid"));
    assert_eq!(asked_since(&recorder, before), ["/v1/invoices/in_1"]);
    assert_eq!(kept(), before_silence);
}
