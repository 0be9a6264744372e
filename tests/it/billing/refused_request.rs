//! A request of ours that Stripe refused for good, or whose failure it would replay for ever, is over: the next press
//! sends another one, with another key. What had no answer is sent again as it was.

use serde_json::{Value, json};

use crate::harness::client::Answer;
use crate::harness::{Recorder, Shop};

const CUSTOMERS: &str = "/v1/customers";
const SESSIONS: &str = "/v1/checkout/sessions";
const PORTAL: &str = "/v1/billing_portal/sessions";

fn watched_shop() -> (Shop, Recorder) {
    let recorder = Recorder::start();
    let shop = Shop::open_with(&[("SPRITE_STRIPE_API_BASE", &recorder.url)]);
    recorder.lead_to(&shop.stripe.url());
    (shop, recorder)
}

fn fail_once(shop: &Shop, path: &str, kind: &str) {
    shop.stripe_control("faults", &[("path", path), ("method", "POST"), ("kind", kind), ("times", "1")]);
}

/// The idempotency keys of what was sent to this path, each once, in the order of their first use.
fn keys(recorder: &Recorder, path: &str) -> Vec<String> {
    let asked = recorder.asked();
    let sent = asked.iter().filter(|asked| asked.method == "POST" && asked.path == path);
    let mut keys: Vec<String> = sent.map(|asked| asked.header("idempotency-key").to_owned()).collect();
    keys.dedup();
    keys
}

fn buy(shop: &Shop, user: &str, offer: &str) -> Answer {
    shop.api.call("POST", &format!("/v1/users/{user}/checkout"), &json!({ "plan": offer }))
}

/// The customer's e-mail address at Stripe, by the session that was made.
fn email_at_stripe(shop: &Shop, checkout: &Value) -> Value {
    let session = shop.ask_stripe("GET", &format!("{SESSIONS}/{}", checkout["session_id"].as_str().unwrap()));
    shop.ask_stripe("GET", &format!("{CUSTOMERS}/{}", session["customer"].as_str().unwrap()))["email"].clone()
}

#[test]
fn an_address_that_stripe_refused_can_be_corrected() {
    let (shop, recorder) = watched_shop();
    for (user, wrong, offer) in [("bob", "bob@localhost", "topup_100"), ("carol", "carol@", "starter")] {
        let put = |email: &str| shop.api.call("PUT", &format!("/v1/users/{user}"), &json!({ "email": email }));
        put(wrong).must(201);
        for _ in 0..2 {
            assert_eq!(buy(&shop, user, offer).must(502).code(), "stripe_rejected");
        }
        put(&format!("{user}@example.org")).must(200);
        let checkout = buy(&shop, user, offer).must(200).json();
        assert_eq!(email_at_stripe(&shop, &checkout), format!("{user}@example.org"));
        buy(&shop, user, offer).must(200);
    }
    assert_eq!(keys(&recorder, CUSTOMERS).len(), 6, "a key for each press, and none once there is a customer");
}

/// Which addresses Stripe takes, is Stripe's to say. One that till takes is sold to, or refused in words and corrected.
#[test]
fn an_odd_address_is_sold_to_or_can_be_corrected() {
    let shop = Shop::open();
    let rows = [
        ("@", false),
        ("a@", false),
        ("@example.org", false),
        ("a@localhost", false),
        ("a@example.", false),
        ("a b@example.org", true),
        ("A B <a@example.org>", true),
        ("a@example.org, b@example.org", true),
        ("a@b@example.org", true),
        ("\"quoted\"@example.org", true),
        ("a+b@sub.example.org", true),
        ("ü@exämple.example", true),
    ];
    for (number, (email, is_taken)) in rows.into_iter().enumerate() {
        let user = format!("odd_{number}");
        let put = |email: &str| shop.api.call("PUT", &format!("/v1/users/{user}"), &json!({ "email": email }));
        put(email).must(201);
        if is_taken {
            buy(&shop, &user, "topup_100").must(200);
        } else {
            assert_eq!(buy(&shop, &user, "topup_100").must(502).code(), "stripe_rejected", "{email}");
            put("a@example.org").must(200);
            buy(&shop, &user, "topup_100").must(200);
        }
    }
}

#[test]
fn what_is_over_gets_a_new_request_at_the_next_press() {
    let (shop, recorder) = watched_shop();
    // What Stripe answers, and what the buyer is told.
    let rows = [
        ("status:400", "stripe_rejected"),
        ("status:402", "stripe_rejected"),
        ("status:403", "stripe_rejected"),
        ("status:500", "stripe_unavailable"),
        ("after:503", "stripe_unavailable"),
    ];
    for (number, (kind, code)) in rows.into_iter().enumerate() {
        for offer in ["topup_100", "starter"] {
            let user = format!("{offer}_{number}");
            shop.user(&user);
            for path in [CUSTOMERS, SESSIONS] {
                let before = keys(&recorder, path).len();
                fail_once(&shop, path, kind);
                assert_eq!(buy(&shop, &user, offer).must(502).code(), code, "{kind} {path}");
                buy(&shop, &user, offer).must(200);
                let used = &keys(&recorder, path)[before..];
                assert!(used.len() == 2 && used[0] != used[1], "{kind} {path}: {used:?}");
                if path == CUSTOMERS {
                    shop.stripe_control(&format!("sessions/{}/expire", session(&shop, &user, offer)), &[]);
                }
            }
        }
        fail_once(&shop, PORTAL, kind);
        let open = || {
            let browser = shop.sign_in(&format!("starter_{number}"));
            let csrf = browser.get("/dashboard").form("/billing/checkout?plan=topup_100")[0].1.clone();
            browser.post_form("/billing/portal", &[("csrf", &csrf)])
        };
        open().must(502);
        open().must(303);
    }
}

/// The open session of the user.
fn session(shop: &Shop, user: &str, offer: &str) -> String {
    buy(shop, user, offer).must(200).json()["session_id"].as_str().unwrap().to_owned()
}

#[test]
fn what_had_no_answer_is_sent_again_as_it_was() {
    let (shop, recorder) = watched_shop();
    shop.api.call("PUT", "/v1/users/alice", &json!({ "email": "alice@example.org" })).must(201);
    for (path, known) in [(CUSTOMERS, 0), (SESSIONS, 1)] {
        fail_once(&shop, path, "close");
        fail_once(&shop, path, "status:409");
        buy(&shop, "alice", "topup_100").must(200);
        assert_eq!(keys(&recorder, path).len(), known + 1, "{path}");
        let listed = shop.ask_stripe("GET", &format!("{path}?limit=100"));
        assert_eq!(listed["data"].as_array().unwrap().len(), known + 1, "{path}");
    }
}
