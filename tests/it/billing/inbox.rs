//! What becomes of events that are not a plain payment: kept with the reason, answered with 200, shown on the command
//! line, and tried again from there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::shop::{GOOD_CARD, WEBHOOK_SECRET};
use crate::harness::webhook::{event, now, signature};
use crate::harness::{Shop, left_out};

const COMPLETED: &str = "checkout.session.completed";

/// A paid session of a shop of which Stripe has told nobody.
fn paid_session(shop: &Shop) -> Value {
    shop.stripe_control("webhooks/hold", &[]);
    shop.user("alice");
    let (session, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"))
}

fn row(shop: &Shop, event: &Value) -> Value {
    let shown = shop.till_prints(&["event", "show", event["id"].as_str().unwrap(), "--json"]);
    serde_json::from_str(&shown).unwrap()
}

#[test]
fn what_is_none_of_our_business_is_kept_as_ignored_even_when_replayed() {
    let shop = Shop::open();
    let session = paid_session(&shop);
    let with = |more: Value| {
        let mut event = event(COMPLETED, &session);
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let thin = json!({ "id": "evt_thin", "object": "v2.core.event", "type": COMPLETED, "livemode": false,
        "created": "2026-10-01T12:00:00.000Z", "related_object": { "id": session["id"], "type": "checkout.session" } });
    for (event, why) in [
        (with(json!({ "livemode": true })), "live mode"),
        (with(json!({ "account": "acct_of_another" })), "acct_of_another"),
        (thin, "thin"),
        (with(json!({ "type": "checkout.session.reborn" })), "checkout.session.reborn changes nothing here"),
        (with(json!({ "type": "coupon.created", "data": { "object": { "object": "novelty" } } })), "coupon.created"),
        (with(json!({ "type": "customer.deleted", "data": { "object": { "id": "cus_stranger" } } })), "not a customer"),
    ] {
        assert_eq!(shop.webhook(&event).must(200).json(), json!({ "received": true }));
        let kept = row(&shop, &event);
        assert_eq!(kept["status"], "ignored", "{kept}");
        assert!(kept["detail"].as_str().unwrap().contains(why), "{why}: {kept}");
        assert_eq!(kept["body"], event);
        let id = event["id"].as_str().unwrap();
        let replayed = shop.till_prints(&["event", "replay", id]);
        assert!(replayed.contains("ignored"), "{replayed}");
        assert_eq!(shop.remaining("alice"), 0, "{why}");
    }
    shop.till.wait_for_log("the other mode", |line| line["event"] == "webhook_wrong_mode");
    shop.webhook(&event(COMPLETED, &session)).must(200);
    assert_eq!(shop.remaining("alice"), 100);
}

#[test]
fn an_object_that_cannot_be_read_is_kept_as_failed_with_the_reason() {
    let shop = Shop::open();
    let session = paid_session(&shop);
    let with = |field: &str, value: Value| {
        let mut object = session.clone();
        object[field] = value;
        object
    };
    for (kind, object, why) in [
        (COMPLETED, with("amount_total", json!("900")), "amount_total is not a whole number"),
        (COMPLETED, with("payment_intent", json!(7)), "payment_intent is not an id"),
        (COMPLETED, with("metadata", json!([])), "metadata is not a JSON object"),
        (COMPLETED, with("id", json!(null)), "has no id"),
        ("checkout.session.async_payment_failed", with("mode", json!(1)), "mode is not text"),
        ("customer.deleted", json!({ "object": "customer" }), "has no id"),
    ] {
        let event = event(kind, &object);
        for _ in 0..2 {
            assert_eq!(shop.webhook(&event).must(200).json(), json!({ "received": true }));
        }
        let failed = shop.inbox(&["--status", "failed"]);
        let kept = failed.iter().find(|row| row["id"] == event["id"]).unwrap_or_else(|| panic!("{why}: {failed:?}"));
        assert!(kept["detail"].as_str().unwrap().contains(why), "{kept}");
        assert!(kept["next_attempt_at"].is_string() && kept["attempts"] == 1, "{kept}");
        let said = shop.till_prints(&["event", "list", "--status", "failed"]);
        assert!(said.contains(event["id"].as_str().unwrap()) && said.contains(why), "{said}");
        let replayed = shop.till(&["event", "replay", event["id"].as_str().unwrap()]);
        let said = String::from_utf8_lossy(&[replayed.stdout, replayed.stderr].concat()).into_owned();
        assert_eq!(replayed.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(shop.remaining("alice"), 0);
    shop.till.wait_for_log("the fault", |line| line["event"] == "webhook_not_applied");
    shop.webhook(&event(COMPLETED, &session)).must(200);
    assert_eq!(shop.remaining("alice"), 100, "a readable one of the same session counts");
    shop.verify_books();
}

#[test]
fn a_replay_says_what_it_would_do_then_does_it_and_does_it_once() {
    let shop = Shop::open();
    let mut session = paid_session(&shop);
    session["id"] = json!("cs_test_elsewhere");
    session["metadata"] = json!({ "user_id": "bob", "plan": "topup_250" });
    let told = event(COMPLETED, &session);
    let id = told["id"].as_str().unwrap();
    shop.webhook(&told).must(200);
    assert_eq!(row(&shop, &told)["status"], "unmatched");

    let replay = |more: &[&str]| {
        let output = shop.till(&[&["event", "replay", id], more].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = replay(&[]);
    assert!(code == 1 && said.contains("unmatched") && said.contains("\"bob\""), "{code} {said}");
    shop.user("bob");
    let reason = format!("topup_{}", session["payment_intent"].as_str().unwrap());
    for _ in 0..2 {
        let before = row(&shop, &told);
        let (code, said) = replay(&["--dry-run"]);
        let change = format!("  topup: bob +250, balance 250 ({reason})\n");
        assert_eq!((code, said), (0, format!("{id} would be applied (250 units for bob)\n{change}")));
        let (_, said) = replay(&["--dry-run", "--json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&said["dry_run"], &said["status"]), (&json!(true), &json!("applied")));
        let change = json!({"what": "topup", "user_id": "bob", "units": 250, "balance": 250, "detail": reason});
        assert_eq!(said["changes"], json!([change]));
        assert_eq!(row(&shop, &told), before, "nothing of the event has changed");
        assert_eq!((shop.remaining("bob"), shop.ledger("bob").len()), (0, 0), "and nothing of the books");
    }
    let change = format!("  topup: bob +250, balance 250 ({reason})\n");
    assert_eq!(replay(&[]), (0, format!("{id}: applied (250 units for bob)\n{change}")));
    assert_eq!(row(&shop, &told)["status"], "applied");
    assert_eq!(shop.remaining("bob"), 250);
    assert_eq!(replay(&["--dry-run"]), (0, format!("{id} would be applied (credited before)\n")));
    assert_eq!(replay(&[]), (0, format!("{id}: applied (credited before)\n")));
    assert_eq!(shop.ledger("bob").len(), 1);
    // The command line is right, and the event is in the wrong state for it.
    for line in [&["event", "assign", id, "bob"][..], &["event", "dismiss", id]] {
        let refused = shop.till(line);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(1) && said.contains("is applied"), "{line:?}: {said}");
    }
    assert_eq!(shop.till(&["event", "replay", "evt_unknown"]).status.code(), Some(1));
    assert_eq!(shop.till(&["event", "list", "--status", "odd"]).status.code(), Some(2));
    shop.verify_books();
}

/// What Stripe's events hold is written by others: it must not move the operator's terminal.
#[test]
fn the_listing_shows_an_event_in_one_line_and_the_newest_first() {
    let shop = Shop::open();
    let odd = json!({ "id": "cs_1\u{1b}[2J", "object": "checkout.session", "mode": "pay\nment" });
    let (first, second) = (event("price.created", &json!({ "id": "price_1" })), event(COMPLETED, &odd));
    shop.webhook(&first).must(200);
    shop.webhook(&second).must(200);
    let listed = shop.till_prints(&["event", "list"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[1].contains(second["id"].as_str().unwrap()) && lines[2].contains(first["id"].as_str().unwrap()));
    let shown = shop.till_prints(&["event", "show", second["id"].as_str().unwrap()]);
    assert!(!listed.contains('\u{1b}') && !shown.contains('\u{1b}'), "{shown}");
    assert_eq!(shop.inbox(&["--limit", "1"]).len(), 1);
}

fn samples(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { samples(&path, found) } else { found.push(path) }
    }
}

#[test]
fn stripes_samples_are_all_answered_with_200_and_leave_the_books_in_order() {
    let shared = std::env::var_os("TILL_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let folder = shared.join("stripe/events");
    if !folder.is_dir() {
        return left_out("Stripe's samples as webhooks: there is no folder stripe/events in TILL_SHARED");
    }
    let mut files = vec![];
    samples(&folder, &mut files);
    files.sort();
    assert!(files.len() >= 100, "only {} samples", files.len());
    let shop = Shop::open();
    for _ in 0..2 {
        for path in &files {
            let body = fs::read(path).unwrap();
            let answer = shop.webhook_bytes(&body, &signature(WEBHOOK_SECRET, &body, now()));
            assert_eq!(answer.status, 200, "{}: {}", path.display(), answer.body);
        }
    }
    let failed = shop.inbox(&["--status", "failed"]);
    assert!(failed.is_empty(), "{failed:#?}");
    shop.verify_books();
}
