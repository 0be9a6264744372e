//! What a plan's invoice and a subscription may look like: several of them, several lines, many lines, by hand, paid past
//! Stripe, at an older price, in any order, and from before there was an appliance.

use std::thread;

use serde_json::{Value, json};
use till::store::inbox::Status;
use till::store::payments;
use till::usecase::checkout::start::PurchaseRequest;
use till::usecase::operator::stripe_setup::{self, SetupContext};
use till::usecase::stripe_events::{inbox, retry};
use till::usecase::users;

use super::subscriber::Subscriber;
use crate::harness::life::{Life, check, event, permutations, stripe};
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Shop, canned, eventually};

#[test]
fn of_two_plans_both_bring_units_the_better_is_shown_and_the_operator_is_told() {
    let alice = Subscriber::begin();
    alice.subscribe("items[0][price]=price_pro&default_payment_method=pm_card_visa");
    assert_eq!((alice.remaining(), alice.bought()), (600, (600, 3_800)));
    alice.shows("pro", "active");
    let is_it =
        |line: &Value| line["event"] == "several_subscriptions" && line["user_id"] == "alice" && line["count"] == 2;
    let line = alice.shop.till.wait_for_log("several subscriptions", is_it);
    assert_eq!(line["level"], "WARN", "{line}");
    alice.shop.verify_books();
}

#[test]
fn a_quantity_and_several_items_each_count_by_their_own_price() {
    for (form, units, plan) in [
        ("items[0][price]=price_starter&items[0][quantity]=3", 300, "starter"),
        ("items[0][price]=price_starter&items[0][quantity]=2&items[1][price]=price_pro", 700, "pro"),
    ] {
        let alice = Subscriber::stranger();
        alice.subscribe(&format!("{form}&default_payment_method=pm_card_visa"));
        assert_eq!((alice.remaining(), alice.bought().0), (units, units), "{form}");
        alice.shows(plan, "active");
        alice.advance("month", "1");
        assert_eq!(alice.remaining(), 2 * units, "{form}, renewed");
    }
}

#[test]
fn an_invoice_by_hand_with_more_lines_than_its_event_shows_counts_whole() {
    let alice = Subscriber::stranger();
    let customer = alice.customer.clone();
    for number in 0..12 {
        let price = if number == 11 { "price_pro" } else { "price_starter" };
        alice.post("/v1/invoiceitems", &format!("customer={customer}&pricing[price]={price}"));
    }
    let form = format!("customer={customer}&pending_invoice_items_behavior=include");
    let invoice = alice.post("/v1/invoices", &form)["id"].as_str().unwrap().to_owned();
    alice.post(&format!("/v1/invoices/{invoice}/pay"), "payment_method=pm_card_visa");
    let told =
        alice.shop.ask_stripe("GET", "/v1/events?type=invoice.paid&limit=1")["data"][0]["data"]["object"].clone();
    let shown = told["lines"]["data"].as_array().unwrap().len();
    assert_eq!((shown, &told["lines"]["has_more"], &told["billing_reason"]), (10, &json!(true), &json!("manual")));
    assert_eq!((alice.remaining(), alice.bought().0), (1_600, 1_600));
    alice.shows("free", "none");
    alice.shop.verify_books();
    alice.shop.till_prints(&["reconcile"]);
}

fn month(id: &str, price: &str, more: &Value) -> Value {
    let mut invoice = json!({"id": id, "object": "invoice", "status": "paid", "billing_reason": "subscription_cycle",
        "total": 900, "amount_paid": 900, "currency": "usd", "subscription": "sub_1", "payment_intent": format!("pi_{id}"),
        "subscription_details": {"metadata": {"user_id": "alice"}},
        "lines": {"object": "list", "has_more": false, "data": [{"id": "il_1", "amount": 900, "quantity": 1,
            "price": {"id": price}}]}});
    invoice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event(id, "invoice.paid", 0, invoice)
}

#[test]
fn what_was_paid_past_stripe_is_paid_and_kept_as_such() {
    let stripe = stripe();
    let life = Life::begin(&stripe.url());
    let past = [
        json!({"paid_out_of_band": true, "payment_intent": null, "amount_paid": 0}),
        json!({"amount_paid_off_stripe": 900, "payment_intent": null}),
    ];
    for (number, more) in past.iter().chain([&json!({})]).enumerate() {
        let id = format!("in_{number}");
        life.hear(&month(&id, "price_starter", more));
        let payment = life.app.store.read(|tx| payments::find(tx, &id)).unwrap().unwrap();
        assert_eq!((payment.units_granted, payment.out_of_band), (100, number < past.len()), "{more}");
    }
    assert_eq!(life.remaining(), 300);
    life.prove();
}

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
key = "starter"
name = "Starter"
amount = 900
units = 100
interval = "month"
price_id = "price_today"
older_price_ids = ["price_2024"]
"#;

#[test]
fn an_older_price_brings_what_its_plan_brings() {
    let stripe = stripe();
    let life = Life::begin_with(&stripe.url(), Some(CATALOG));
    for (number, price) in ["price_today", "price_2024"].into_iter().enumerate() {
        life.hear(&month(&format!("in_{number}"), price, &json!({})));
    }
    assert_eq!(life.remaining(), 200);
    let subscription = json!({"id": "sub_1", "object": "subscription", "status": "active",
        "metadata": {"user_id": "alice"}, "items": {"object": "list", "has_more": false,
            "data": [{"id": "si_1", "price": {"id": "price_2024"}, "quantity": 1}]}});
    life.hear(&event("sub", "customer.subscription.updated", 1, subscription));
    assert_eq!(users::show(&life.app, "alice").unwrap().plan, "starter");
}

#[test]
fn a_plan_taken_off_sale_is_kept_by_those_who_have_it_and_sold_to_nobody() {
    let stripe = stripe();
    let retired = CATALOG.replace("price_id = \"price_today\"\n", "");
    let life = Life::begin_with(&stripe.url(), Some(&retired));
    let subscription = json!({"id": "sub_1", "object": "subscription", "status": "active",
        "metadata": {"user_id": "alice"}, "items": {"object": "list", "has_more": false,
            "data": [{"id": "si_1", "price": {"id": "price_2024"}, "quantity": 1}]}});
    life.hear(&event("sub", "customer.subscription.updated", 1, subscription));
    for renewal in 1..=2 {
        life.hear(&month(&format!("in_{renewal}"), "price_2024", &json!({})));
        assert_eq!(life.remaining(), 100 * renewal);
    }
    let alice = users::show(&life.app, "alice").unwrap();
    assert_eq!(alice.plan, "starter");
    let refused = PurchaseRequest::new(&life.app, "starter", None).map(drop).unwrap_err().to_string();
    assert!(refused.contains("not on sale any more"), "{refused}");
    // Nor is it made at Stripe again, nor missed.
    assert_eq!(life.app.catalog.missing_price_ids(), []);
    let mut context = SetupContext::new(&life.app.config, life.app.stripe().unwrap(), life.clock.now());
    context.dry_run = true;
    let mut setup = stripe_setup::Setup::default();
    stripe_setup::set_up(&context, &mut setup).unwrap();
    assert!(setup.steps.iter().all(|step| !step.starts_with("starter")), "{:?}", setup.steps);
}

#[test]
fn a_refund_of_what_is_not_in_the_books_is_shown_to_the_operator_and_still_counts_when_that_comes() {
    let stripe = stripe();
    let life = Life::begin(&stripe.url());
    let refund = json!({"id": "re_1", "object": "refund", "status": "succeeded", "amount": 450, "currency": "usd",
        "payment_intent": "pi_in_1", "charge": "ch_1"});
    life.hear(&event("refund", "refund.created", 0, refund));
    let status = || inbox::show(&life.app, "evt_refund").unwrap().decision.status;
    assert_eq!(status(), Status::Waiting);
    for _ in 0..13 {
        life.clock.set(life.clock.now().plus_seconds(6 * 3_600));
        retry::retry_due(&life.app).unwrap();
    }
    assert_eq!(status(), Status::Unmatched);
    life.hear(&month("in_1", "price_starter", &json!({})));
    assert_eq!((status(), life.remaining()), (Status::Applied, 50));
    life.prove();
}

/// The stand-in's own events of one subscription, heard in every order, a user for each.
#[test]
fn a_plan_that_begins_ends_the_same_in_any_order_of_its_events() {
    let shop = Shop::open();
    shop.stripe_control("webhooks/hold", &[]);
    let kinds = ["customer.subscription.created", "invoice.paid", "invoice_payment.paid", "checkout.session.completed"];
    let orders = permutations(&kinds.map(|kind| json!(kind)));
    thread::scope(|scope| {
        for (number, part) in orders.chunks(6).enumerate() {
            let (shop, part) = (&shop, part.to_vec());
            scope.spawn(move || {
                for (at, order) in part.iter().enumerate() {
                    begin_in_order(shop, &format!("u{number}_{at}"), order);
                }
            });
        }
    });
    shop.verify_books();
    shop.till_prints(&["reconcile"]);
}

fn begin_in_order(shop: &Shop, user: &str, order: &[Value]) {
    shop.user(user);
    let (id, checkout) = shop.checkout(user, "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{id}"));
    let events = shop.ask_stripe("GET", "/v1/events?limit=100");
    let subscription = session["subscription"].as_str().unwrap();
    let invoice = session["invoice"].as_str().unwrap();
    for kind in order {
        let is_its = |event: &&Value| {
            let object = event["data"]["object"].to_string();
            event["type"] == *kind && (object.contains(subscription) || object.contains(invoice))
        };
        let found = events["data"].as_array().unwrap().iter().find(is_its);
        shop.webhook(found.unwrap_or_else(|| panic!("no {kind} for {user}"))).must(200);
    }
    let shown = eventually(user, || {
        let shown = shop.api.get(&format!("/v1/users/{user}")).must(200).json();
        (shown["subscription"]["status"] == "active").then_some(shown)
    });
    assert_eq!((&shown["plan"], &shown["units"]["remaining"]), (&json!("starter"), &json!(100)), "{order:?}");
    assert_eq!(shop.ledger(user).len(), 1, "{order:?}");
}

/// A checkout with `invoice_creation`: of its one payment tell the session, the invoice, and what ties the invoice to it.
#[test]
fn a_pack_with_an_invoice_is_credited_once_in_any_order_and_refunded_by_its_payment() {
    let session = json!({"id": "cs_test_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": "pi_1", "invoice": "in_1", "customer": "cus_1", "amount_total": 900,
        "currency": "usd", "metadata": {"user_id": "alice", "plan": "topup_100"}});
    let invoice = json!({"id": "in_1", "object": "invoice", "status": "paid", "billing_reason": "manual",
        "customer": "cus_1", "total": 900, "amount_paid": 900, "currency": "usd", "parent": null, "metadata": {},
        "lines": {"object": "list", "has_more": false, "data": [{"id": "il_1", "amount": 900, "quantity": 1,
            "pricing": {"price_details": {"price": "price_topup_100"}}}]}});
    let payment = json!({"id": "inpay_1", "object": "invoice_payment", "status": "paid", "invoice": "in_1",
        "is_default": true, "amount_paid": 900, "payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
    let list = |row: &Value| json!({"object": "list", "has_more": false, "data": [row]});
    let mut with_payments = invoice.clone();
    with_payments["payments"] = list(&payment);
    let stripe = canned::start(vec![
        ("/v1/checkout/sessions?payment_intent=pi_1", "200 OK", list(&session).to_string()),
        ("/v1/invoices/in_1", "200 OK", with_payments.to_string()),
        ("/v1/invoice_payments", "200 OK", list(&payment).to_string()),
    ]);
    let refund = json!({"id": "re_1", "object": "refund", "status": "succeeded", "amount": 450, "currency": "usd",
        "payment_intent": "pi_1", "charge": "ch_1"});
    let events = [
        event("session", "checkout.session.completed", 0, session),
        event("invoice", "invoice.paid", 0, invoice),
        event("payment", "invoice_payment.paid", 0, payment),
        event("refund", "refund.created", 0, refund),
    ];
    check(&stripe, "a pack with an invoice", &events[..3], 100);
    check(&stripe, "the same, half refunded", &events, 50);
}

/// Stripe keeps events for thirty days. What is older is still in its lists of objects.
#[test]
fn what_is_older_than_stripes_events_is_found_among_its_objects() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    shop.user("alice");
    shop.stripe_control("webhooks/drop", &[("times", "20")]);
    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.stripe_control("events/forget", &[]);
    assert_eq!(shop.ask_stripe("GET", "/v1/events")["data"], json!([]));
    shop.till_prints(&["reconcile"]);
    assert_eq!(shop.remaining("alice"), 100);
}
