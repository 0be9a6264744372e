//! What may come in at the webhook's door: what Stripe signed, lately, of a bearable size. Everything else is refused and
//! changes nothing.

use std::fs;

use serde_json::{Value, json};

use super::harness::Shop;
use super::harness::shop::WEBHOOK_SECRET;
use super::harness::webhook::{now, signature};

fn event(id: &str, kind: &str, object: &Value) -> Value {
    json!({
        "id": id, "object": "event", "type": kind, "api_version": "2025-03-31.basil", "livemode": false,
        "created": now().seconds(), "data": { "object": object },
    })
}

/// A paid session that no order of ours stands behind.
fn paid_session(user: Option<&str>) -> Value {
    json!({
        "id": "cs_test_stray", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": "pi_stray", "amount_subtotal": 900, "amount_total": 900,
        "currency": "usd", "livemode": false, "created": now().seconds(),
        "metadata": user.map_or(json!({}), |user| json!({ "user_id": user, "plan": "topup_100" })),
    })
}

#[test]
fn only_what_stripe_signed_lately_comes_in() {
    let shop = Shop::open();
    shop.user("alice");
    let body = event("evt_1", "checkout.session.completed", &paid_session(Some("alice"))).to_string();
    let body = body.as_bytes();
    let at = |seconds: i64| signature(WEBHOOK_SECRET, body, now().plus_seconds(seconds));
    let good = at(0);
    let other = signature("whsec_another", body, now());
    let huge = vec![b' '; 1024 * 1024 + 1];
    let rows: &[(&str, &[u8], &str, u16)] = &[
        ("no signature", body, "", 400),
        ("another secret", body, &other, 400),
        ("a signature of another body", b"{}", &good, 400),
        ("an old one", body, &at(-310), 400),
        ("words", body, "t=now,v1=yes", 400),
        ("too large", &huge, &good, 413),
        ("signed, and not JSON", b"pictures", &signature(WEBHOOK_SECRET, b"pictures", now()), 400),
        ("signed, and no event", b"{}", &signature(WEBHOOK_SECRET, b"{}", now()), 400),
    ];
    for (what, body, signature, status) in rows {
        let answer = shop.webhook_bytes(body, signature);
        assert_eq!((answer.status, answer.code().as_str()), (*status, "invalid_request"), "{what}: {}", answer.body);
    }
    assert_eq!(shop.remaining("alice"), 0);
    let inbox: Value = serde_json::from_str(&shop.till_prints(&["event", "list", "--json"])).unwrap();
    assert_eq!(inbox["data"], json!([]));

    // The same body again, rightly signed: a while ago, and while a secret is rolled.
    for signature in [at(-200), format!("{other},{}", good.split_once(',').unwrap().1)] {
        assert_eq!(shop.webhook_bytes(body, &signature).must(200).json(), json!({ "received": true }));
        assert_eq!(shop.remaining("alice"), 100);
    }
    shop.till.wait_for_log("webhook_rejected", |line| line["event"] == "webhook_rejected");
}

#[test]
fn money_that_cannot_be_tied_to_anybody_is_kept() {
    let shop = Shop::open();
    for session in [paid_session(None), paid_session(Some("nobody"))] {
        let id = format!("evt_{}", session["metadata"].as_object().unwrap().len());
        shop.webhook(&event(&id, "checkout.session.completed", &session)).must(200);
    }
    shop.till.wait_for_log("payment_unmatched", |line| line["event"] == "payment_unmatched");
    let listed = shop.till_prints(&["event", "list", "--status", "unmatched", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap()["data"].as_array().unwrap().len(), 2, "{listed}");
}

#[test]
fn what_is_none_of_our_business_is_confirmed_and_changes_nothing() {
    let shop = Shop::open();
    shop.user("alice");
    let live = |mut event: Value| {
        event["livemode"] = true.into();
        event
    };
    for event in [
        event("evt_1", "charge.updated", &json!({ "id": "ch_1", "object": "charge" })),
        event("evt_2", "a.type.of.the.future", &json!({ "id": "x_1", "object": "x" })),
        live(event("evt_3", "checkout.session.completed", &paid_session(Some("alice")))),
    ] {
        shop.webhook(&event).must(200);
    }
    assert_eq!(shop.remaining("alice"), 0);
}

/// Secrets stay where they belong, whatever happens.
#[test]
fn no_secret_is_ever_logged() {
    let shop = Shop::open_with(&[("SPRITE_LOG", "trace")]);
    shop.user("alice");
    let link = shop.login_link("alice");
    let token = link.split_once("token=").unwrap().1.to_owned();
    let browser = shop.visitor();
    let cookie = browser.get(&link).must(303).header("set-cookie").to_owned();
    let cookie = cookie.split_once('=').unwrap().1.split(';').next().unwrap().to_owned();
    let checkout = shop.press_buy(&browser, "topup_100");
    let back = shop.pay(&checkout, &[("card", "4242424242424242")]).must(303);
    browser.get(back.header("location")).must(200);
    shop.webhook_bytes(b"{}", "t=1,v1=2").must(400);
    shop.till.wait_for_log("topup_processed", |line| line["event"] == "topup_processed");

    let database = fs::read(shop.database()).unwrap();
    for secret in [&token, &cookie, "sk_test_stories", WEBHOOK_SECRET, shop.token(), "4242424242424242"] {
        assert!(!shop.till.log().contains(secret), "{secret} is in the log");
        assert!(!database.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is in the books");
    }
}
