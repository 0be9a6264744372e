//! What people are written when something happens to their account.

use serde_json::{Value, json};
use till::clock::{Clock, DAY_SECONDS, rfc3339};
use till::language::Language;
use till::usecase::users::{self, UserPatch};

use super::{FROM, send_due};
use crate::harness::life::{Life, event};
use crate::harness::mail_server::{MailServer, PLAIN, header};
use crate::harness::{Shop, shop};

fn open(server: &MailServer) -> Shop {
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let shop = Shop::open_with(&[("SPRITE_SMTP_URL", &url), ("SPRITE_MAIL_FROM", FROM)]);
    shop.api.call("PUT", "/v1/users/alice", &json!({"email": "alice@example.org"})).must(201);
    shop
}

#[test]
fn a_pack_that_was_paid_has_a_receipt_once_whatever_reports_it() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let shop = open(&server);
    let (session, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", shop::GOOD_CARD)]);
    let mails = server.wait_for(1);
    let text = mails[0]["text"].as_str().unwrap();
    for fact in ["Bought: 100 pictures", "Credited: 100 pictures", "Paid: $9.00", "Balance: 100 pictures", "Test mode"]
    {
        assert!(text.contains(fact), "{fact} in {text}");
    }
    assert_eq!(header(&mails[0], "subject"), "Your receipt from till: 100 pictures");
    assert_eq!(header(&mails[0], "list-unsubscribe"), "", "nobody refuses a receipt");
    // The same again, by the event under another id.
    let object = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    let now = Clock::System.now().seconds();
    let again = json!({"id": "evt_again", "object": "event", "type": "checkout.session.completed", "created": now,
        "livemode": false, "api_version": "2026-05-27.dahlia", "data": {"object": object}});
    shop.webhook(&again).must(200);
    shop.till_prints(&["reconcile"]);
    // A letter that is written after it, so that a second receipt would be there.
    shop.api.call_once("/v1/users/alice/spends", "s", &json!({"units": 95})).must(201);
    let subjects: Vec<String> = server.wait_for(2).iter().map(|mail| header(mail, "subject")).collect();
    assert_eq!(subjects, ["Your receipt from till: 100 pictures", "5 pictures left at till"]);
}

#[test]
fn a_balance_that_falls_below_the_threshold_is_reported_once_each_time() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let shop = open(&server);
    let spend = |key: &str, units: i64| {
        shop.api.call_once("/v1/users/alice/spends", key, &json!({ "units": units })).must(201);
    };
    shop.give("alice", 20);
    spend("a", 15);
    spend("b", 1);
    spend("b", 1);
    shop.give("alice", 20);
    spend("c", 24);
    let subjects: Vec<String> = server.wait_for(2).iter().map(|mail| header(mail, "subject")).collect();
    assert_eq!(subjects, ["5 pictures left at till", "No pictures left at till"]);
}

#[test]
fn units_that_expire_within_a_week_are_told_once() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let shop = open(&server);
    let at = rfc3339(Clock::System.now().plus_seconds(3 * DAY_SECONDS));
    let grant = json!({"units": 40, "note": "n", "expires_at": at});
    shop.api.call_once("/v1/users/alice/grants", "g", &grant).must(201);
    let mails = server.wait_for(1);
    assert!(header(&mails[0], "subject").starts_with("40 pictures at till expire on "), "{mails:?}");
    let link = header(&mails[0], "list-unsubscribe");
    assert!(link.starts_with("<http") && link.contains("/unsubscribe?token="), "{link}");
}

/// An appliance that hears Stripe's events by hand, with a plan's subscriber at an address.
fn subscriber(server: &MailServer) -> Life {
    let life = super::life(server);
    let patch = UserPatch { email: Some(Some("alice@example.org")), ..UserPatch::default() };
    users::put(&life.app, "alice", patch).unwrap();
    life
}

fn subscription(status: &str, more: Value) -> Value {
    let mut object = json!({"id": "sub_1", "object": "subscription", "customer": "cus_alice", "status": status,
        "created": 1_789_990_000, "metadata": {"user_id": "alice"}, "cancel_at_period_end": false,
        "items": {"data": [{"id": "si_1", "price": {"id": "price_starter"}, "quantity": 1,
            "current_period_start": 1_789_990_000, "current_period_end": 1_792_000_000}]}});
    for (name, value) in more.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

#[test]
fn a_plan_that_is_set_to_end_and_one_that_has_ended_are_told_once_each() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let life = subscriber(&server);
    let to_end = json!({"cancel_at_period_end": true, "cancel_at": 1_792_000_000});
    let ended = json!({"ended_at": 1_790_000_300});
    life.hear(&event("1", "customer.subscription.created", 0, subscription("active", json!({}))));
    life.hear(&event("2", "customer.subscription.updated", 100, subscription("active", to_end.clone())));
    life.hear(&event("2", "customer.subscription.updated", 100, subscription("active", to_end.clone())));
    life.hear(&event("3", "customer.subscription.updated", 200, subscription("active", to_end)));
    life.hear(&event("4", "customer.subscription.deleted", 300, subscription("canceled", ended.clone())));
    life.hear(&event("5", "customer.subscription.deleted", 301, subscription("canceled", ended)));
    send_due(&life.app);
    let subjects: Vec<String> = server.wait_for(2).iter().map(|mail| header(mail, "subject")).collect();
    assert_eq!(subjects, ["Your plan Starter at till ends on 14 Oct 2026", "Your plan Starter at till has ended"]);
}

#[test]
fn a_payment_for_a_plan_that_failed_is_reported_once_for_each_attempt() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let life = subscriber(&server);
    life.hear(&event("1", "customer.subscription.created", 0, subscription("active", json!({}))));
    let invoice = |id: &str, reason: &str, attempts: i64, next: Value| {
        json!({"id": id, "object": "invoice", "status": "open", "billing_reason": reason, "customer": "cus_alice",
            "subscription": "sub_1", "total": 900, "amount_remaining": 900, "amount_paid": 0, "currency": "usd",
            "attempt_count": attempts, "next_payment_attempt": next,
            "lines": {"data": [{"id": "il_1", "amount": 900, "price": {"id": "price_starter"}}], "has_more": false}})
    };
    let failed = |id: &str, object: Value| life.hear(&event(id, "invoice.payment_failed", 10, object));
    failed("first", invoice("in_first", "subscription_create", 1, Value::Null));
    failed("a", invoice("in_2", "subscription_cycle", 1, json!(1_790_300_000)));
    failed("a again", invoice("in_2", "subscription_cycle", 1, json!(1_790_300_000)));
    failed("b", invoice("in_2", "subscription_cycle", 2, Value::Null));
    let foreign = json!({"id": "in_3", "status": "open", "billing_reason": "manual", "lines": {"data": []}});
    failed("foreign", foreign);
    send_due(&life.app);
    let mails = server.wait_for(2);
    assert_eq!(mails.len(), 2, "{mails:?}");
    let texts: Vec<&str> = mails.iter().map(|mail| mail["text"].as_str().unwrap()).collect();
    assert!(texts[0].contains("$9.00 for Starter could not be charged.") && texts[0].contains("again on 25 Sep 2026"));
    assert!(texts[1].contains("It is not tried again by itself."), "{}", texts[1]);
}

fn pack_session(id: &str) -> Value {
    json!({"id": format!("cs_{id}"), "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": format!("pi_{id}"), "amount_total": 900, "currency": "usd",
        "metadata": {"user_id": "alice", "plan": "topup_100"}, "livemode": false,
        "line_items": {"data": [{"id": "li_1", "price": {"id": "price_topup_100"}, "quantity": 1}], "has_more": false}})
}

#[test]
fn nobody_is_written_about_what_happened_days_ago() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let life = subscriber(&server);
    life.hear(&event("old", "checkout.session.completed", -4 * DAY_SECONDS, pack_session("old")));
    life.hear(&event("new", "checkout.session.completed", -DAY_SECONDS, pack_session("new")));
    assert_eq!(life.remaining(), 200);
    send_due(&life.app);
    let mails = server.wait_for(1);
    assert_eq!(mails.len(), 1);
    assert!(mails[0]["text"].as_str().unwrap().contains("Balance: 200 pictures"));
}

#[test]
fn a_letter_is_in_the_language_that_its_reader_chose() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let life = subscriber(&server);
    let user = users::show(&life.app, "alice").unwrap().user;
    users::set_locale(&life.app, &user, Language::De).unwrap();
    life.hear(&event("1", "checkout.session.completed", 0, pack_session("1")));
    send_due(&life.app);
    let mail = server.wait_for(1).remove(0);
    assert_eq!(header(&mail, "subject"), "Ihre Quittung von till: 100 Bilder");
    let text = mail["text"].as_str().unwrap();
    for fact in ["Gekauft: 100 Bilder", "Bezahlt: 9,00\u{a0}$", "Datum: 21. Sept. 2026", "Betrieben mit till"] {
        assert!(text.contains(fact), "{fact} in {text}");
    }
    assert!(mail["html"].as_str().unwrap().contains("<html lang=\"de\""));
}
