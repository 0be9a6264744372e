//! No port is open to Stripe: there is no webhook endpoint, and till asks for the events itself.

use serde_json::Value;
use till::clock::{Clock, Timestamp};
use till::usecase::stripe_events::reconcile::{self, poll};
use till::usecase::users;

use crate::harness::life::{Life, events, stripe_at};
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Recorder, Shop, eventually};

const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const HOUR: i64 = 3600;

/// Pays at Stripe, and does not come back.
fn pays(shop: &Shop, user: &str, offer: &str) -> String {
    let (session, checkout) = shop.checkout(user, offer);
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    session
}

fn count(shop: &Shop, event: &str) -> usize {
    shop.till.log().lines().filter(|line| line.contains(&format!("\"event\":\"{event}\""))).count()
}

fn finding(shop: &Shop, what: &str) -> Option<Value> {
    let found: Value = serde_json::from_slice(&shop.till(&["check", "--json"]).stdout).unwrap();
    found["data"].as_array().unwrap().iter().find(|row| row["what"] == what).cloned()
}

#[test]
fn packs_plans_renewals_and_refunds_arrive_without_a_webhook_endpoint() {
    let shop = Shop::open_polling("1s");
    assert_eq!(shop.ask_stripe("GET", "/v1/webhook_endpoints")["data"], Value::Array(vec![]));
    assert_eq!(count(&shop, "stripe_polled"), 1, "one warning, with what it costs:\n{}", shop.till.log());
    ["alice", "bert"].iter().for_each(|user| shop.user(user));

    let session = pays(&shop, "alice", "topup_100");
    pays(&shop, "bert", "starter");
    shop.wait_for_units("alice", 100);
    shop.wait_for_units("bert", 100);
    shop.wait_for_status("bert", "active");

    // A refund at Stripe's dashboard, and the next month.
    let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    let payment = session["payment_intent"].as_str().unwrap();
    shop.stripe_control(&format!("charges/{payment}/refund"), &[]);
    shop.wait_for_units("alice", 0);
    shop.stripe_control("clock/advance", &[("by", "month")]);
    shop.wait_for_units("bert", 200);

    // Stripe is away, and back: what happened meanwhile is not lost, and the log is not filled.
    let away = [("path", "/v1/events"), ("method", "GET"), ("kind", "status:400"), ("times", "3")];
    shop.stripe_control("faults", &away);
    pays(&shop, "alice", "topup_250");
    shop.wait_for_units("alice", 250);
    shop.till.wait_for_log("the end of the failures", |line| line["event"] == "polling_resumed");
    assert_eq!(count(&shop, "polling_failed"), 2, "of three: the first and the second");

    let ids: Vec<Value> = shop.inbox(&["--limit", "1000"]).iter().map(|row| row["id"].clone()).collect();
    assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)), "each event once");
    let compared = shop.till_prints(&["reconcile"]);
    assert!(compared.contains("agree"), "{compared}");
    shop.verify_books();
}

#[test]
fn what_was_paid_while_the_service_was_down_is_there_with_its_first_round() {
    let shop = Shop::open_polling("15m");
    ["alice", "bert"].iter().for_each(|user| shop.user(user));
    eventually("the first round", || finding(&shop, "polling").filter(|found| found["is_good"] == true));

    // The buyer who comes back needs no round.
    let browser = shop.sign_in("bert");
    let (session, checkout) = shop.checkout("bert", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    browser.get(&format!("/billing/return?session_id={session}")).must(200);
    assert_eq!(shop.remaining("bert"), 100);
    let (session, checkout) = shop.checkout("bert", "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let page = browser.get(&format!("/billing/return?session_id={session}")).must(200);
    assert!(shop.remaining("bert") == 200 && page.body.contains("200"), "the plan as well: {}", page.body);

    let (_, checkout) = shop.checkout("alice", "topup_250");
    shop.till.ask_to_stop();
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let shop = shop.crash_and_restart();
    shop.wait_for_units("alice", 250);
    let shop = shop.crash_and_restart();
    shop.wait_for_units("alice", 250);
    assert_eq!((shop.ledger("alice").len(), shop.ledger("bert").len()), (1, 2), "nothing twice");
    shop.verify_books();
}

#[test]
fn a_webhook_is_refused_and_an_endpoint_that_leads_here_is_named() {
    // Its commands know the address.
    let shop = Shop::open_polling("1s").crash_and_restart();
    let event = serde_json::json!({"id": "evt_1", "type": "invoice.paid"});
    let refused = shop.webhook(&event).must(404).json();
    assert_eq!(refused["code"], "not_found");
    assert!(refused["detail"].as_str().unwrap().contains("SPRITE_STRIPE_WEBHOOK_SECRET is not set"), "{refused}");

    eventually("a round", || finding(&shop, "polling").filter(|found| found["is_good"] == true));
    let polling = finding(&shop, "polling").unwrap();
    assert!(polling["detail"].as_str().unwrap().contains("up to 1 s later"), "{polling}");
    let status: Value = serde_json::from_str(&shop.till_prints(&["status", "--json"])).unwrap();
    assert!(status["polled_at"].is_string() && shop.till_prints(&["status"]).contains("Stripe told its events at"));
    assert!(finding(&shop, "webhook endpoint").is_none() && finding(&shop, "public URL").is_none());

    let form = format!("url={}/billing/webhook&enabled_events[]=invoice.paid", shop.till.url);
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let made = stripe.send("POST", "/v1/webhook_endpoints", &headers, form.as_bytes()).must(200).json();
    let named = finding(&shop, "webhook endpoint").unwrap();
    let advice = format!("--no-webhook --disable {}", made["id"].as_str().unwrap());
    assert!(named["is_good"] == false && named["detail"].as_str().unwrap().contains(&advice), "{named}");
    let done = shop.till_prints(&["stripe", "setup", "--no-webhook", "--disable", made["id"].as_str().unwrap()]);
    assert!(done.contains("is disabled now") && !done.contains("WEBHOOK_SECRET="), "{done}");
    assert!(finding(&shop, "webhook endpoint").is_none());

    let shown = shop.till(&["config"]);
    assert!(String::from_utf8(shown.stderr).unwrap().contains("asks Stripe for its events every 1 s"));

    // Where the service cannot ask, the check says so and why.
    shop.stripe_control("keys", &[("key", "rk_test_blind"), ("permissions", "rak_plan_read")]);
    let shop = shop.crash_and_restart_with(&[("SPRITE_STRIPE_SECRET_KEY", "rk_test_blind")]);
    let failed = shop.till.wait_for_log("a refusal", |line| line["event"] == "polling_failed");
    assert!(failed["error"].as_str().unwrap().contains("Events (Read)"), "{failed}");
    assert_eq!(finding(&shop, "polling").unwrap()["is_good"], false);
}

/// Hours without a round: page by page, the newest first, and a break in the middle costs one page.
#[test]
fn a_gap_of_hours_is_read_page_by_page_and_what_is_new_comes_first() {
    const BUYERS: usize = 60;
    let recorder = Recorder::start();
    let clock = Clock::manual(START);
    let stripe = stripe_at(clock.clone());
    recorder.lead_to(&stripe.url());
    let life = Life::begin_with(&recorder.url, None);
    let api = Client::new(&stripe.url(), &[("authorization", "Bearer sk_test_lives")]);
    let pass = |hours: usize| {
        let now = START.plus_seconds(i64::try_from(hours).unwrap() * HOUR);
        clock.set(now);
        life.clock.set(now);
    };
    let buys = |user: &str| {
        let (_, path) = life.checkout(user, "topup_100", &stripe.url());
        api.post_form(&path, &[("card", GOOD_CARD)]).must(303);
    };
    pass(0);
    buys("first");
    assert!(poll::poll(&life.app, poll::PATIENCE, || true).unwrap().is_done);
    for hour in 1..=BUYERS {
        pass(2 * hour);
        buys(&format!("u{hour}"));
    }
    let whole = events(&api).len().div_ceil(100);
    assert!(whole >= 3, "{whole} pages");
    let units = |user: &str| users::show(&life.app, user).unwrap().balance.remaining;

    let before = recorder.asked().len();
    let pages = || recorder.asked().iter().skip(before).filter(|asked| asked.path == "/v1/events").count();
    let broken = poll::poll(&life.app, poll::PATIENCE, || pages() < 1).unwrap();
    assert!(!broken.is_done && broken.applied > 0);
    assert_eq!((units(&format!("u{BUYERS}")), units("u1")), (100, 0), "the newest first");

    pass(2 * BUYERS + 3);
    buys("late");
    let rest = poll::poll(&life.app, poll::PATIENCE, || pages() < 2).unwrap();
    assert_eq!((rest.is_done, units("late"), units("u1")), (false, 100, 0), "then what is new");
    assert!(poll::poll(&life.app, poll::PATIENCE, || true).unwrap().is_done);
    assert!(pages() <= whole + 2, "{} of {whole} pages", pages());
    (1..=BUYERS).for_each(|number| assert_eq!(units(&format!("u{number}")), 100, "{number}"));

    // The overlap is read again, and applied no second time; a comparison goes on from the same position.
    assert_eq!(poll::poll(&life.app, poll::PATIENCE, || true).unwrap(), poll::PollRound { applied: 0, is_done: true });
    let compared = reconcile::reconcile(&life.app, None, true, |_, _| ()).unwrap();
    assert_eq!((compared.applied, compared.is_clean()), (0, true), "{compared:?}");
    assert!(reconcile::compared_to(&life.app).unwrap() >= Some(life.clock.now()));
    life.prove();
}
