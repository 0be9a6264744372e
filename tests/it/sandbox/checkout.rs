//! The checkout page, and how a session ends.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use till::clock::Timestamp;

use super::fixture::{Fixture, SECRET};

#[test]
fn a_card_pays_and_signed_webhooks_say_so() {
    let fixture = Fixture::new();
    let id = fixture.new_session("&payment_intent_data[metadata][order]=o1");
    let open = fixture.session(&id);
    assert_eq!(
        (&open["payment_intent"], &open["amount_total"], &open["status"]),
        (&Value::Null, &json!(1800), &json!("open"))
    );
    assert_eq!(open["url"], format!("{}/c/pay/{id}", fixture.sandbox.url()));

    let page = fixture.page("GET", &format!("/c/pay/{id}"), "");
    for part in ["100 pictures", "$18.00", "No money moves", "https://shop.test/", "promotion_code"] {
        assert!(page.text.contains(part), "{part}");
    }
    assert!(page.header("content-security-policy").contains("default-src 'none'") && !page.text.contains("<script"));

    for (form, status, message) in [
        ("card=4000 0000 0000 0002", 402, "Your card was declined"),
        ("card=5555555555554444", 400, "4242 4242 4242 4242 pays"),
        ("card=4242424242424242&exp=01/20", 400, "The card has expired"),
        ("method=cash", 400, "is not a method"),
        ("card=4242424242424242&promotion_code=NO", 400, "The code NO is not valid here"),
    ] {
        let answer = fixture.pay(&id, form);
        assert!(answer.status == status && answer.text.contains(message), "{form}: {} {}", answer.status, answer.text);
        assert_eq!(fixture.session(&id)["status"], "open");
    }
    let paid = fixture.pay(&id, "card=4242 4242 4242 4242&exp=12/34&cvc=123&email=a@example.org");
    assert_eq!((paid.status, paid.header("location")), (303, format!("https://shop.test/done?s={id}&a=1").as_str()));
    let again = fixture.pay(&id, "card=4242424242424242");
    assert!(again.status == 409 && again.text.contains("This has been paid"), "{}", again.text);

    let session = fixture.ok("GET", &format!("/v1/checkout/sessions/{id}"), "expand[]=payment_intent.latest_charge");
    let intent = &session["payment_intent"];
    assert_eq!((&session["payment_status"], &session["url"]), (&json!("paid"), &Value::Null));
    assert_eq!((&intent["status"], &intent["amount_received"]), (&json!("succeeded"), &json!(1800)));
    assert_eq!((&session["metadata"], &intent["metadata"]), (&json!({"user_id": "alice"}), &json!({"order": "o1"})));
    assert_eq!(intent["latest_charge"]["paid"], true);
    let by_intent = format!("payment_intent={}", intent["id"].as_str().expect("id"));
    assert_eq!(fixture.ok("GET", "/v1/checkout/sessions", &by_intent)["data"][0]["id"], id.as_str());
    assert_eq!(fixture.ok("GET", "/v1/charges", &by_intent)["data"].as_array().map(Vec::len), Some(2));

    for kind in
        ["payment_intent.created", "payment_intent.payment_failed", "charge.succeeded", "payment_intent.succeeded"]
    {
        assert_eq!(fixture.receiver.wait_for(kind, 1).len(), 1, "{kind}");
    }
    let webhook = fixture.receiver.wait_for("checkout.session.completed", 1).remove(0);
    let (time, hash) = webhook.signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("t and v1");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(format!("{time}.{}", webhook.body).as_bytes());
    assert_eq!((time, hash.to_owned()), ("1790000000", till::id::hex(&mac.finalize().into_bytes())));
    assert!(webhook.body.starts_with("{\n  \"id\": \"evt_1") && webhook.body.contains("\"discounts\": [\n\n      ],"));
    assert_eq!(webhook.event()["data"]["object"], fixture.session(&id));
}

#[test]
fn a_session_ends_free_settled_failed_or_expired() {
    let fixture = Fixture::new();
    let free = fixture.new_session("");
    assert!(fixture.pay(&free, "action=apply&promotion_code=free100").text.contains("Complete order"));
    assert_eq!(fixture.pay(&free, "").status, 303);
    let at_once = fixture.new_session("");
    assert_eq!(fixture.pay(&at_once, "promotion_code=FREE100").status, 303);
    for id in [&free, &at_once] {
        let session = fixture.session(id);
        assert_eq!(session["payment_status"], "no_payment_required");
        assert_eq!((&session["payment_intent"], &session["amount_total"]), (&Value::Null, &json!(0)));
        assert_eq!(session["total_details"]["amount_discount"], 1800);
    }

    for (step, status, event) in [
        ("settle", "paid", "checkout.session.async_payment_succeeded"),
        ("fail", "unpaid", "checkout.session.async_payment_failed"),
    ] {
        let id = fixture.new_session("");
        assert_eq!(
            fixture.page("POST", &format!("/control/sessions/{id}/{step}"), "").status,
            409,
            "nothing to {step} yet"
        );
        assert_eq!(fixture.pay(&id, "method=bank_debit").status, 303);
        assert_eq!(
            (fixture.session(&id)["status"].clone(), fixture.session(&id)["payment_status"].clone()),
            (json!("complete"), json!("unpaid"))
        );
        fixture.control(&format!("sessions/{id}/{step}"), "");
        assert_eq!(fixture.session(&id)["payment_status"], status);
        assert_eq!(fixture.receiver.wait_for(event, 1)[0].event()["data"]["object"]["id"], id.as_str());
        assert_eq!(fixture.page("POST", &format!("/control/sessions/{id}/{step}"), "").status, 409, "only once");
        let message = if step == "settle" { "This has been paid" } else { "Your bank debit failed" };
        assert!(fixture.page("GET", &format!("/c/pay/{id}"), "").text.contains(message));
    }

    let (pressed, called, overdue) =
        (fixture.new_session(""), fixture.new_session(""), fixture.new_session("&expires_at=1790001800"));
    fixture.control(&format!("sessions/{pressed}/expire"), "");
    fixture.ok("POST", &format!("/v1/checkout/sessions/{called}/expire"), "");
    assert_eq!(fixture.session(&overdue)["status"], "open");
    fixture.clock.set(Timestamp::from_seconds(1_790_001_800));
    for id in [&pressed, &called, &overdue] {
        assert_eq!(fixture.session(id)["status"], "expired");
        assert_eq!(fixture.pay(id, "card=4242424242424242").status, 409);
        assert!(fixture.page("GET", &format!("/c/pay/{id}"), "").text.contains("This page has expired"));
    }
    fixture.receiver.wait_for("checkout.session.expired", 3);

    assert_eq!(fixture.page("GET", "/c/pay/cs_no", "").status, 404);
}
