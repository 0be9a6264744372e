//! Lists that cannot be compared whole: a key that may not read them, rows that cannot be read, and answers that take long.
//! The rest is compared all the same, and nothing else waits.

use std::time::Duration;

use serde_json::{Value, json};
use till::clock::{Clock, Deadline, rfc3339};

use super::report::{check_says, compare};
use crate::harness::{Client, Shop, canned, eventually};

fn session(id: &str) -> Value {
    json!({ "id": id, "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
        "payment_intent": id.replace("cs_", "pi_"), "amount_total": 900, "currency": "usd", "created": 1_790_000_000,
        "metadata": { "user_id": "alice", "plan": "topup_100" } })
}

/// What the session sold.
fn pack() -> Value {
    json!({ "id": "li_1", "object": "item", "price": { "id": "price_topup_100" }, "quantity": 1, "amount_total": 900 })
}

fn list(rows: &[Value]) -> String {
    json!({ "object": "list", "has_more": false, "data": rows }).to_string()
}

#[test]
fn a_key_that_may_not_read_events_compares_the_objects_and_says_so() {
    let lacks =
        r#"{"error":{"message":"Having the 'rak_event_read' permission would allow this request to continue."}}"#;
    let stripe = canned::start(vec![
        ("/v1/events", "403 Forbidden", lacks.to_owned()),
        ("/v1/checkout/sessions?", "200 OK", list(&[session("cs_untold")])),
        ("/v1/checkout/sessions/cs_untold/line_items", "200 OK", list(&[pack()])),
        ("/v1/checkout/sessions/cs_untold", "200 OK", session("cs_untold").to_string()),
        ("/v1/refunds", "403 Forbidden", r#"{"error":{"message":"not allowed"}}"#.to_owned()),
        ("/v1/", "200 OK", list(&[])),
    ]);
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off"), ("SPRITE_STRIPE_API_BASE", &stripe)]);
    shop.user("alice");
    let (report, is_clean) = compare(&shop);
    assert_eq!((report["applied"].as_i64(), is_clean, shop.remaining("alice")), (Some(1), false, 100), "{report}");
    let expected = json!([
        "events: the restricted key lacks the permission rak_event_read",
        "refunds: the restricted key lacks the permission rak_charge_read",
    ]);
    assert_eq!(report["not_compared"], expected);
    let text = String::from_utf8(shop.till(&["reconcile"]).stdout).unwrap();
    assert!(text.contains("not compared: events: the restricted key lacks the permission rak_event_read"), "{text}");
    let (is_good, detail) = check_says(&shop, "key permissions");
    assert!(!is_good && detail.contains("Events (Read)"), "{detail}");
}

/// The same of what the appliance compares by itself: it looks at the objects of late instead.
#[test]
fn without_events_the_appliance_compares_objects_each_time() {
    let stripe = canned::start(vec![
        ("/v1/events", "403 Forbidden", r#"{"error":{"message":"not allowed"}}"#.to_owned()),
        ("/v1/checkout/sessions?", "200 OK", list(&[session("cs_untold")])),
        ("/v1/checkout/sessions/cs_untold/line_items", "200 OK", list(&[pack()])),
        ("/v1/checkout/sessions/cs_untold", "200 OK", session("cs_untold").to_string()),
        ("/v1/", "200 OK", list(&[])),
    ]);
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "1s"), ("SPRITE_STRIPE_API_BASE", &stripe)]);
    shop.user("alice");
    shop.wait_for_units("alice", 100);
    shop.till.wait_for_log("the permission", |line| {
        line["event"] == "not_compared" && line["error"].to_string().contains("rak_event_read")
    });
}

#[test]
fn rows_that_cannot_be_read_are_counted_and_named_and_the_others_are_compared() {
    let good = session("cs_good").to_string().replace("\"paid\"", "\"paid\",\"x\":\"a\\u0000\"");
    let odd = session("cs_odd").to_string().replace("900", "1e999");
    let nameless = r#"{"object":"checkout.session","created":1790000000,"deep":[[[[]]]]}"#;
    let page = format!(r#"{{"object":"list","has_more":false,"data":[{odd},{good},7,{nameless}]}}"#);
    let nines = "9".repeat(400);
    let events = format!(r#"{{"object":"list","has_more":false,"data":[{{"id":"evt_odd","created":{nines}}}]}}"#);
    let stripe = canned::start(vec![
        ("/v1/events", "200 OK", events),
        ("/v1/checkout/sessions?", "200 OK", page),
        ("/v1/checkout/sessions/cs_good/line_items", "200 OK", list(&[pack()])),
        ("/v1/checkout/sessions/cs_good", "200 OK", session("cs_good").to_string()),
        ("/v1/", "200 OK", list(&[])),
    ]);
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off"), ("SPRITE_STRIPE_API_BASE", &stripe)]);
    shop.user("alice");
    let (report, _) = compare(&shop);
    assert_eq!((report["applied"].as_i64(), shop.remaining("alice")), (Some(1), 100), "{report}");
    assert_eq!((report["unreadable"].as_i64(), report["agrees"].as_bool()), (Some(4), Some(false)), "{report}");
    let named = report["unreadable_rows"].to_string();
    for words in ["events evt_odd: ", "checkouts cs_odd: ", "amount_total is not a whole number", "checkouts -: "] {
        assert!(named.contains(words), "{words}: {named}");
    }
}

#[test]
fn a_long_comparison_holds_up_no_expiry() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "1s")]);
    let fault = [("path", "/v1/events"), ("method", "GET"), ("kind", "slow:19000"), ("times", "1000")];
    shop.stripe_control("faults", &fault);
    shop.user("alice");
    let faults = || Client::browser(&shop.stripe.url()).get("/control/state").must(200).json()["faults"].to_string();
    let before = faults();
    eventually("a comparison that waits", || (faults() != before).then_some(()));
    // The answer under way takes longer than this.
    let deadline = Deadline::after(Duration::from_secs(15));
    let ends = rfc3339(Clock::System.now().plus_seconds(2));
    let grant = json!({ "units": 5, "note": "for a moment", "expires_at": ends });
    shop.api.call_once("/v1/users/alice/grants", "grant-1", &grant).must(201);
    eventually("the lot's end", || (shop.ledger("alice").len() == 2).then_some(()));
    assert!(!deadline.left().is_zero(), "the expiry waited for Stripe");
}
