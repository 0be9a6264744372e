//! What a paid session is worth, and to whom: what was on sale when the button was pressed, told by our own order; only
//! without one by metadata, then by customer and price; never by an e-mail address.

use serde_json::{Value, json};

use super::{COMPLETED, silent_shop};
use crate::harness::shop::GOOD_CARD;
use crate::harness::webhook::event;
use crate::harness::{Client, Shop};

/// A session as Stripe shows it after a payment by card, with changes.
fn paid(shop: &Shop, session: &str, changes: Value) -> Value {
    let mut object = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    let intent = format!("pi_{}", &session[session.len() - 20..]);
    let is_paid = json!({ "status": "complete", "payment_status": "paid", "payment_intent": intent });
    for fields in [is_paid, changes] {
        object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    }
    object
}

fn item(price: &str, quantity: i64) -> Value {
    json!({ "id": "li_1", "object": "item", "price": { "id": price, "object": "price" }, "quantity": quantity })
}

fn items(rows: &[Value]) -> Value {
    json!({ "object": "list", "data": rows, "has_more": false })
}

#[test]
fn units_are_those_on_sale_times_the_quantity_whatever_was_charged() {
    let shop = silent_shop();
    let jpy = json!({ "source_currency": "usd", "amount_subtotal": 1_800, "amount_total": 1_800, "fx_rate": "150" });
    for (what, changes, units) in [
        ("as it was", json!({}), 100),
        ("half price by promotion code", json!({ "amount_total": 450 }), 100),
        ("with tax", json!({ "amount_total": 1_071 }), 100),
        ("two of it", json!({ "amount_subtotal": 1_800, "amount_total": 1_800 }), 200),
        ("three at half price", json!({ "amount_subtotal": 2_700, "amount_total": 1_350 }), 300),
        ("another amount", json!({ "amount_subtotal": 1_000, "amount_total": 1_000 }), 100),
        ("no amounts", json!({ "amount_subtotal": null, "amount_total": null, "currency": null }), 100),
        ("yen", json!({ "currency": "jpy", "amount_subtotal": 135_000, "amount_total": 135_000 }), 100),
        (
            "two, shown in yen by an older API version",
            json!({ "currency": "jpy", "amount_subtotal": 270_000,
            "amount_total": 270_000, "currency_conversion": jpy }),
            200,
        ),
        (
            "euros shown, dollars kept",
            json!({ "presentment_details": { "presentment_amount": 1_874,
            "presentment_currency": "eur" } }),
            100,
        ),
        (
            "three of it, as its items say",
            json!({ "amount_subtotal": 2_700, "line_items": items(&[item("price_topup_100", 3)]) }),
            300,
        ),
        (
            "another pack beside it",
            json!({ "amount_subtotal": 2_900,
            "line_items": items(&[item("price_topup_100", 1), item("price_topup_250", 1)]) }),
            350,
        ),
        (
            "a larger one in its place",
            json!({ "amount_subtotal": 2_000, "line_items": items(&[item("price_topup_250", 1)]) }),
            250,
        ),
        ("after its time", json!({ "expires_at": 1_000_000_000 }), 100),
        ("paid although expired", json!({ "status": "expired" }), 100),
        (
            "an id where an object is",
            json!({ "customer": { "id": "cus_x", "object": "customer" },
            "payment_intent": { "id": "pi_expanded", "object": "payment_intent" } }),
            100,
        ),
        ("an unknown field and word", json!({ "status": "archived", "novelty": [{}], "url": null }), 100),
    ] {
        let before = shop.remaining("alice");
        let (session, _) = shop.checkout("alice", "topup_100");
        let object = paid(&shop, &session, changes);
        shop.webhook(&event(COMPLETED, &object)).must(200);
        assert_eq!(shop.remaining("alice") - before, units, "{what}");
        let reason = object["payment_intent"].as_str().unwrap_or("pi_expanded");
        assert!(shop.ledger("alice")[0].0.starts_with(&format!("topup_{reason}")), "{what}");
    }
    shop.verify_books();
}

#[test]
fn nothing_is_credited_before_stripe_says_paid() {
    let shop = silent_shop();
    let (session, _) = shop.checkout("alice", "topup_100");
    for (what, kind, changes) in [
        ("unpaid", COMPLETED, json!({ "payment_status": "unpaid" })),
        ("a word that is new", COMPLETED, json!({ "payment_status": "paid_soon" })),
        ("in capitals", COMPLETED, json!({ "payment_status": "PAID" })),
        ("no word", COMPLETED, json!({ "payment_status": null })),
        ("owing nothing, still open", COMPLETED, json!({ "payment_status": "no_payment_required", "status": "open" })),
        ("expired", "checkout.session.expired", json!({ "payment_status": "unpaid", "status": "expired" })),
        (
            "expired owing nothing",
            "checkout.session.expired",
            json!({ "payment_status": "no_payment_required", "status": "expired" }),
        ),
        ("a card set up", COMPLETED, json!({ "payment_status": "no_payment_required", "mode": "setup" })),
        ("a subscription", COMPLETED, json!({ "mode": "subscription" })),
        ("paid, said by another type", "checkout.session.updated", json!({})),
    ] {
        shop.webhook(&event(kind, &paid(&shop, &session, changes))).must(200);
        assert_eq!(shop.remaining("alice"), 0, "{what}");
    }
    shop.webhook(&event(COMPLETED, &paid(&shop, &session, json!({})))).must(200);
    assert_eq!(shop.remaining("alice"), 100, "paid in the end");
}

#[test]
fn a_change_of_the_catalogue_does_not_reach_what_was_bought_before() {
    let shop = silent_shop();
    let (before, _) = shop.checkout("alice", "topup_100");
    let shop = shop.crash_and_restart_with(&[("SPRITE_TOPUP_100_UNITS", "200")]);
    let (after, _) = shop.checkout("alice", "topup_100");
    for (session, balance) in [(before, 100), (after, 300)] {
        shop.webhook(&event(COMPLETED, &paid(&shop, &session, json!({})))).must(200);
        assert_eq!(shop.remaining("alice"), balance);
    }
    shop.verify_books();
}

#[test]
fn expired_and_abandoned_checkouts_give_nothing() {
    let shop = Shop::open_taking_codes();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let (abandoned, _) = shop.checkout("alice", "topup_100");
    let (free, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("action", "apply"), ("promotion_code", "FREE100")]).must(200);
    let (expired, late) = shop.checkout("alice", "topup_100");
    shop.stripe_control(&format!("sessions/{expired}/expire"), &[]);
    shop.pay(&late, &[("card", GOOD_CARD)]).must(409);
    for (session, says) in [
        (&abandoned, "The payment was not completed"),
        (&free, "The payment was not completed"),
        (&expired, "The checkout has expired"),
    ] {
        let page = browser.get(&format!("/billing/return?session_id={session}")).must(200);
        assert!(page.body.contains(says), "{says}: {}", page.body);
    }
    assert_eq!(shop.remaining("alice"), 0);
}

#[test]
fn an_order_that_costs_nothing_is_credited_under_the_sessions_id() {
    let shop = Shop::open_taking_codes();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let (session, checkout) = shop.checkout("alice", "topup_100");
    let back = shop.pay(&checkout, &[("promotion_code", "FREE100")]).must(303);
    let page = browser.get(back.header("location")).must(200);
    assert!(page.body.contains("100 pictures added"), "{}", page.body);
    shop.wait_for_units("alice", 100);
    shop.webhook(&event(COMPLETED, &shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}")))).must(200);
    assert_eq!(shop.ledger("alice"), [(format!("topup_{session}"), 100, 100)]);
}

/// Who gets what when a session with these changes is paid, or why nobody can be told.
fn gets(
    shop: &Shop,
    number: usize,
    changes: &Value,
    is_ordered: bool,
    expected: std::result::Result<(i64, i64), &str>,
) {
    let before = [shop.remaining("alice"), shop.remaining("bob")];
    let (session, _) = shop.checkout("alice", "topup_100");
    let mut object = paid(shop, &session, changes.clone());
    if !is_ordered {
        object["id"] = json!(format!("cs_test_elsewhere_{number}"));
    }
    let event = event(COMPLETED, &object);
    shop.webhook(&event).must(200);
    let got = (shop.remaining("alice") - before[0], shop.remaining("bob") - before[1]);
    let unmatched = shop.inbox(&["--status", "unmatched"]).into_iter().find(|row| row["id"] == event["id"]);
    match (expected, unmatched) {
        (Ok(units), None) => assert_eq!(got, units, "{changes}"),
        (Err(why), Some(row)) => {
            assert_eq!(got, (0, 0), "{changes}");
            assert!(row["detail"].as_str().unwrap().contains(why), "{changes}: {row}");
            let is_it = |line: &Value| line["event"] == "payment_unmatched" && line["object"] == object["id"];
            shop.till.wait_for_log("payment_unmatched", is_it);
        }
        (expected, found) => panic!("{changes}: {expected:?} was expected, and unmatched is {found:?}"),
    }
}

/// Who gets what without an order of ours, or with facts that somebody has changed.
#[test]
fn the_order_decides_then_metadata_then_customer_and_price() {
    let shop = silent_shop();
    shop.api.call("PUT", "/v1/users/bob", &json!({ "email": "bob@example.org" })).must(201);
    let (known, _) = shop.checkout("alice", "topup_100");
    let customer = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{known}"))["customer"].clone();
    let nobody = json!({ "metadata": {}, "customer": null, "client_reference_id": null });
    let with = |more: Value| {
        let mut fields = nobody.clone();
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    let pack = items(&[item("price_topup_250", 1)]);
    // What is changed in the session, whether the order is known, and what alice and bob get, or the reason.
    let rows = [
        (json!({ "metadata": {} }), true, Ok((100, 0))),
        (json!({ "metadata": { "user_id": "bob", "plan": "topup_250" } }), true, Ok((100, 0))),
        (nobody.clone(), true, Ok((100, 0))),
        (with(json!({ "metadata": { "user_id": "bob", "plan": "topup_250" } })), false, Ok((0, 250))),
        (
            with(json!({ "metadata": { "user_id": "bob", "order_id": "ord_gone" }, "line_items": pack })),
            false,
            Ok((0, 250)),
        ),
        (with(json!({ "customer": customer, "line_items": pack })), false, Ok((250, 0))),
        (
            with(json!({ "customer": customer, "line_items": items(&[item("price_topup_100", 3)]) })),
            false,
            Ok((300, 0)),
        ),
        (
            with(json!({ "metadata": { "user_id": "bob", "plan": "topup_100" },
                "line_items": items(&[item("price_topup_100", 2)]) })),
            false,
            Ok((0, 200)),
        ),
        (nobody.clone(), false, Err("neither a user nor a customer")),
        (
            with(json!({ "customer_email": "bob@example.org", "customer_details": { "email": "bob@example.org" },
                "metadata": { "plan": "topup_100" } })),
            false,
            Err("neither a user nor a customer"),
        ),
        (with(json!({ "client_reference_id": "bob", "line_items": pack })), false, Ok((0, 250))),
        (with(json!({ "metadata": { "user_id": "carol", "plan": "topup_100" } })), false, Err("\"carol\"")),
        (with(json!({ "metadata": { "user_id": "bob", "plan": "no_such" } })), false, Err("no pack")),
        (with(json!({ "metadata": { "user_id": "bob", "plan": "starter" } })), false, Err("no pack")),
        (with(json!({ "customer": "cus_stranger", "line_items": pack })), false, Err("cus_stranger")),
        (with(json!({ "customer": customer })), false, Err("no pack")),
        (with(json!({ "customer": customer, "line_items": items(&[item("price_other", 1)]) })), false, Err("no pack")),
        (
            with(json!({ "customer": customer,
                "line_items": items(&[item("price_topup_100", 1), item("price_topup_250", 2)]) })),
            false,
            Ok((600, 0)),
        ),
    ];
    for (number, (changes, is_ordered, expected)) in rows.into_iter().enumerate() {
        gets(&shop, number, &changes, is_ordered, expected);
    }
    shop.verify_books();
}

#[test]
fn only_the_owner_is_told_of_a_purchase() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    let (paid, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let (open, _) = shop.checkout("alice", "topup_100");
    let (alice, bob) = (shop.sign_in("alice"), shop.sign_in("bob"));
    let reader = |browser: &Client, session: &str| {
        let path = format!("/billing/return?session_id={session}");
        browser.send("GET", &path, &[], b"").status
    };
    let long = format!("cs_{}", "a".repeat(300));
    for (session, to_alice, to_bob) in [
        (paid.as_str(), 200, 404),
        (&open, 200, 404),
        ("cs_test_a1unknown", 404, 404),
        ("pi_3unknown", 404, 404),
        ("", 404, 404),
        ("cs_", 404, 404),
        (&long, 404, 404),
        ("cs_test/../../customers", 404, 404),
        ("%7BCHECKOUT_SESSION_ID%7D", 404, 404),
        ("cs_%00%FF", 404, 404),
        ("cs_'%20OR%201=1", 404, 404),
    ] {
        assert_eq!((reader(&alice, session), reader(&bob, session)), (to_alice, to_bob), "{session}");
        let stranger = shop.visitor().get(&format!("/billing/return?session_id={session}"));
        assert_eq!(stranger.status, if to_alice == 200 { 200 } else { 401 }, "{session}");
        let said = ["pictures added", "You now have", "alice"].into_iter().find(|words| stranger.body.contains(words));
        assert_eq!(said, None, "{session}: {}", stranger.body);
    }
    alice.get("/billing/return").must(400);
    let program = Client::new(&shop.till.url, &[("accept", "application/json")]);
    assert_eq!(program.get(&format!("/billing/return?session_id={paid}")).must(401).code(), "unauthenticated");
    assert_eq!((shop.remaining("alice"), shop.remaining("bob")), (100, 0));
}
