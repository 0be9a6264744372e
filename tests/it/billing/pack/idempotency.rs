//! Once: however often, from however many sides, in whatever order Stripe's word of a payment comes, and whatever dies on
//! the way.

use std::thread;

use serde_json::{Value, json};

use super::{COMPLETED, silent_shop};
use crate::harness::shop::GOOD_CARD;
use crate::harness::webhook::event;
use crate::harness::{Client, Shop};

const SUCCEEDED: &str = "checkout.session.async_payment_succeeded";
const FAILED: &str = "checkout.session.async_payment_failed";

fn session_at_stripe(shop: &Shop, id: &str) -> Value {
    shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{id}"))
}

/// Bought and paid by card at the stand-in, of which nobody has told us: session and return address.
fn bought(shop: &Shop) -> (Value, String) {
    let (id, checkout) = shop.checkout("alice", "topup_100");
    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    (session_at_stripe(shop, &id), back.header("location").to_owned())
}

#[test]
fn the_same_fact_is_applied_once_by_whatever_events_it_comes() {
    let shop = silent_shop();
    let (session, back) = bought(&shop);
    let first = event(COMPLETED, &session);
    let mut in_another_shape = first.clone();
    in_another_shape["api_version"] = json!("2020-08-27");
    in_another_shape["data"]["object"]["payment_intent"] = json!({ "id": session["payment_intent"] });
    let invoiced = json!({ "id": "in_1", "object": "invoice", "status": "paid", "amount_paid": 900,
        "payment_intent": session["payment_intent"] });
    for event in [
        &first,
        &first,
        &in_another_shape,
        &event(COMPLETED, &session),
        &event(SUCCEEDED, &session),
        &event("invoice.paid", &invoiced),
        &event("invoice_payment.paid", &json!({ "id": "inpay_1", "object": "invoice_payment", "invoice": "in_1" })),
        &event("payment_intent.succeeded", &json!({ "id": session["payment_intent"], "object": "payment_intent" })),
    ] {
        assert_eq!(shop.webhook(event).must(200).json(), json!({ "received": true }));
        assert_eq!(shop.remaining("alice"), 100, "{}", event["type"]);
    }
    shop.sign_in("alice").get(&back).must(200);
    let reason = format!("topup_{}", session["payment_intent"].as_str().unwrap());
    assert_eq!(shop.ledger("alice"), [(reason, 100, 100)]);
    shop.verify_books();
}

#[test]
fn the_same_fact_is_applied_once_from_everywhere_at_once() {
    let shop = silent_shop();
    let browsers: Vec<Client> = (0..4).map(|_| shop.sign_in("alice")).collect();
    let (earlier, _) = bought(&shop);
    let mut kept = event(COMPLETED, &earlier);
    kept["data"]["object"]["metadata"] = json!({});
    shop.webhook(&kept).must(200);
    for round in 1..=3 {
        let (session, back) = bought(&shop);
        let same = event(COMPLETED, &session);
        thread::scope(|scope| {
            for number in 0..8 {
                let (shop, same, session) = (&shop, &same, &session);
                scope.spawn(move || {
                    shop.webhook(same).must(200);
                    let other = event(if number % 2 == 0 { COMPLETED } else { SUCCEEDED }, session);
                    shop.webhook(&other).must(200);
                });
            }
            for browser in &browsers {
                scope.spawn(|| assert!(browser.get(&back).must(200).body.contains("100 pictures added")));
            }
            scope.spawn(|| shop.till_prints(&["event", "replay", kept["id"].as_str().unwrap()]));
            scope.spawn(|| shop.till(&["reconcile"]));
        });
        assert_eq!(shop.remaining("alice"), 100 + 100 * round);
    }
    assert_eq!(shop.ledger("alice").len(), 4);
    shop.verify_books();
}

/// Replay, return page and webhook of one payment in one moment.
#[test]
fn a_replay_of_what_could_not_be_matched_races_webhook_and_return_page() {
    let shop = silent_shop();
    let (session, _) = shop.checkout("alice", "topup_100");
    let mut early = session_at_stripe(&shop, &session);
    early["id"] = json!("cs_test_elsewhere");
    early["metadata"] = json!({ "user_id": "late", "plan": "topup_100" });
    early["status"] = json!("complete");
    early["payment_status"] = json!("paid");
    early["payment_intent"] = json!("pi_elsewhere");
    let unmatched = event(COMPLETED, &early);
    shop.webhook(&unmatched).must(200);
    shop.user("late");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| shop.till_prints(&["event", "replay", unmatched["id"].as_str().unwrap()]));
            scope.spawn(|| shop.webhook(&event(SUCCEEDED, &early)).must(200));
        }
    });
    assert_eq!(shop.ledger("late"), [("topup_pi_elsewhere".to_owned(), 100, 100)]);
    assert_eq!(shop.remaining("alice"), 0);
    shop.verify_books();
}

#[test]
fn what_was_acknowledged_survives_a_crash() {
    let mut shop = silent_shop();
    for balance in [100, 200, 300] {
        let (session, _) = bought(&shop);
        let told = event(COMPLETED, &session);
        shop.webhook(&told).must(200);
        shop = shop.crash_and_restart();
        assert_eq!(shop.remaining("alice"), balance);
        shop.webhook(&told).must(200);
        assert_eq!(shop.remaining("alice"), balance, "and the event is known");
        shop.verify_books();
    }
}

/// The crash falls into the midst of it: what was not acknowledged is sent again, as Stripe does, and nothing is half.
#[test]
fn a_crash_under_load_loses_nothing_and_doubles_nothing() {
    let shop = silent_shop();
    let told: Vec<Value> = (0..12).map(|_| event(COMPLETED, &bought(&shop).0)).collect();
    let address = format!("{}/billing/webhook", shop.till.url);
    let (shop, acknowledged) = thread::scope(|scope| {
        let senders: Vec<_> = told
            .chunks(3)
            .map(|part| {
                let address = &address;
                scope.spawn(move || part.iter().filter(|event| is_acknowledged(address, event)).count())
            })
            .collect();
        crate::harness::eventually("the first units", || (shop.remaining("alice") > 0).then_some(()));
        let shop = shop.crash_and_restart();
        (shop, senders.into_iter().map(|sender| sender.join().unwrap()).sum::<usize>())
    });
    let credited = usize::try_from(shop.remaining("alice")).unwrap() / 100;
    assert!(acknowledged <= credited && credited <= 12, "{acknowledged} acknowledged, {credited} credited");
    shop.verify_books();
    told.iter().for_each(|event| drop(shop.webhook(event).must(200)));
    assert_eq!((shop.remaining("alice"), shop.ledger("alice").len()), (1_200, 12));
    shop.verify_books();
}

/// Sends it to whoever listens, or does not; whether it was answered with 200.
fn is_acknowledged(address: &str, event: &Value) -> bool {
    use crate::harness::{shop::WEBHOOK_SECRET, webhook};
    let body = event.to_string();
    let signature = webhook::signature(WEBHOOK_SECRET, body.as_bytes(), webhook::now());
    let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
    let sent = agent.post(address).header("stripe-signature", signature).send(&body);
    sent.is_ok_and(|answer| answer.status().as_u16() == 200)
}

#[test]
fn a_slow_payment_is_pending_until_the_money_comes() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let mut returns = vec![];
    for (step, says, units) in [("settle", "100 pictures added", 100), ("fail", "The payment did not go through", 100)]
    {
        let (session, checkout) = shop.checkout("alice", "topup_100");
        let back = shop.pay(&checkout, &[("method", "bank_debit")]).must(303).header("location").to_owned();
        let page = browser.get(&back).must(200);
        for words in ["Payment pending", "No need to pay again"] {
            assert!(page.body.contains(words), "{words}: {}", page.body);
        }
        let dashboard = browser.get("/dashboard").must(200).body;
        assert!(dashboard.contains("Payment pending") && dashboard.contains("no need to pay again"), "{dashboard}");

        shop.stripe_control(&format!("sessions/{session}/{step}"), &[]);
        crate::harness::eventually(says, || browser.get(&back).body.contains(says).then_some(()));
        assert_eq!(shop.remaining("alice"), units, "{step}");
        assert!(!browser.get("/dashboard").must(200).body.contains("Payment pending"), "{step}");
        returns.push((back, says));
    }
    for (back, says) in returns {
        assert!(browser.get(&back).must(200).body.contains(says), "it stays said");
    }
    shop.verify_books();
}

/// Every order of these events, each of them twice.
fn permutations(kinds: &[&'static str]) -> Vec<Vec<&'static str>> {
    let Some((first, rest)) = kinds.split_first() else { return vec![vec![]] };
    let shorter = permutations(rest);
    let places = shorter.iter().flat_map(|order| (0..=order.len()).map(move |place| (order, place)));
    places.map(|(order, place)| [&order[..place], &[*first], &order[place..]].concat()).collect()
}

#[test]
fn any_order_of_a_slow_payments_events_ends_the_same() {
    let shop = silent_shop();
    let browser = shop.sign_in("alice");
    for (kinds, says, units) in [
        (&[COMPLETED, SUCCEEDED][..], "100 pictures added", 100),
        (&[COMPLETED, COMPLETED, SUCCEEDED], "100 pictures added", 100),
        (&[COMPLETED, FAILED], "The payment did not go through", 0),
        (&[COMPLETED, FAILED, FAILED], "The payment did not go through", 0),
        // Not both at Stripe; if it were so, money that came counts.
        (&[COMPLETED, SUCCEEDED, FAILED], "100 pictures added", 100),
    ] {
        for order in permutations(kinds) {
            let before = shop.remaining("alice");
            let (id, checkout) = shop.checkout("alice", "topup_100");
            let back = shop.pay(&checkout, &[("method", "bank_debit")]).must(303);
            let unpaid = session_at_stripe(&shop, &id);
            let mut paid = unpaid.clone();
            paid["payment_status"] = json!("paid");
            for kind in &order {
                let event = event(kind, if *kind == SUCCEEDED { &paid } else { &unpaid });
                shop.webhook(&event).must(200);
                shop.webhook(&event).must(200);
            }
            assert_eq!(shop.remaining("alice") - before, units, "{order:?}");
            let page = browser.get(back.header("location")).must(200);
            assert!(page.body.contains(says), "{order:?}: {}", page.body);
            assert_eq!(shop.remaining("alice") - before, units, "{order:?}, after the return page");
        }
    }
    assert!(!browser.get("/dashboard").must(200).body.contains("Payment pending"));
    shop.verify_books();
}

#[test]
fn two_presses_are_two_payments_and_each_is_credited() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let checkouts: Vec<String> = thread::scope(|scope| {
        let presses: Vec<_> = (0..2).map(|_| scope.spawn(|| shop.press_buy(&browser, "topup_100"))).collect();
        presses.into_iter().map(|press| press.join().unwrap()).collect()
    });
    assert_ne!(checkouts[0], checkouts[1]);
    for (checkout, units) in checkouts.iter().zip([100, 200]) {
        shop.pay(checkout, &[("card", GOOD_CARD)]).must(303);
        shop.wait_for_units("alice", units);
    }
    let customers = shop.ask_stripe("GET", "/v1/customers?limit=100");
    assert_eq!(customers["data"].as_array().unwrap().len(), 1, "one person is one customer");
    let ledger = shop.ledger("alice");
    assert!(ledger.len() == 2 && ledger[0].0 != ledger[1].0, "{ledger:?}");
}

#[test]
fn webhooks_that_come_twice_late_or_reversed_end_in_the_same_books() {
    let shop = Shop::open();
    shop.user("alice");
    shop.stripe_control("webhooks/hold", &[]);
    let slow = shop.checkout("alice", "topup_250");
    shop.pay(&slow.1, &[("method", "bank_debit")]).must(303);
    shop.stripe_control(&format!("sessions/{}/settle", slow.0), &[]);
    let (quick, _) = bought(&shop);
    assert_eq!(shop.remaining("alice"), 0);
    shop.stripe_control("webhooks/release", &[("order", "reverse")]);
    shop.wait_for_units("alice", 350);
    let about = |row: &&Value| row["type"].as_str().unwrap_or_default().starts_with("checkout.session");
    let sent: Vec<Value> = shop.deliveries().iter().filter(about).map(|row| row["event"].clone()).collect();
    assert_eq!(sent.len(), 3, "{:?}", shop.deliveries());
    for event in &sent {
        shop.stripe_control(&format!("events/{}/resend", event.as_str().unwrap()), &[("times", "3")]);
    }
    crate::harness::eventually("all deliveries", || {
        shop.deliveries().iter().all(|row| row["progress"] == "delivered").then_some(())
    });
    assert_eq!((shop.remaining("alice"), shop.ledger("alice").len()), (350, 2));
    assert!(
        shop.ledger("alice").iter().any(|(reason, ..)| reason.ends_with(quick["payment_intent"].as_str().unwrap()))
    );
    shop.verify_books();
}
