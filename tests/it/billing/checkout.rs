//! Opening a checkout: what can be bought, where the buyer may be sent afterwards, and what each kind of caller gets.

use serde_json::{Value, json};

use crate::harness::client::Answer;
use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::{Client, Shop, webhook};

/// Addresses that nobody may be sent to when `https://app.example` and `http://localhost:3000` are allowed.
pub const STRANGE_ADDRESSES: &[&str] = &[
    "",
    "done",
    "?x=1",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https:\\\\app.example\\",
    "https://evil.example/",
    "https://evil.example/https://app.example/",
    "https://evil.example#https://app.example/",
    "https://evil.example?https://app.example/",
    "https://app.example.evil.example/",
    "https://app.example@evil.example/",
    "https://user:pass@app.example/",
    "https://xapp.example/",
    "https://\u{430}pp.example/",
    "https://app.example./",
    "https://sub.app.example/",
    "https://app.example:8443/",
    "http://app.example/",
    "http://localhost:3001/",
    "http://localhost/",
    "javascript:alert(1)",
    "javascript://app.example/%0aalert(1)",
    "data:text/html,x",
    "blob:https://app.example/1",
    "ftp://app.example/",
    "app.example",
    " https://app.example/",
    "https://app.example/a b",
    "https://app.example/\r\nSet-Cookie:till=x",
    "/a\tb",
    "/a\u{0}b",
    "null",
];

fn ask(shop: &Shop, body: &Value) -> Answer {
    shop.api.call("POST", "/v1/users/alice/checkout", body)
}

/// The session as Stripe has it.
fn at_stripe(shop: &Shop, session: &str) -> Value {
    let stripe = Client::program(&shop.stripe.url(), "sk_test_stories");
    stripe.get(&format!("/v1/checkout/sessions/{session}")).must(200).json()
}

#[test]
fn a_form_is_sent_on_and_a_program_gets_the_address() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let dashboard = browser.get("/dashboard").must(200);
    let pressed = browser.press(&dashboard, "/billing/checkout?plan=topup_250").must(303);
    assert!(pressed.header("location").starts_with(&shop.stripe.url()), "{}", pressed.header("location"));

    let accept = [("accept", "application/json")];
    let cookie = browser.follow(&shop.login_link("alice")).must(303).header("set-cookie").to_owned();
    let front_end = Client::new(&shop.till.url, &[("cookie", cookie.split(';').next().unwrap())]);
    let from_page = front_end.send("POST", "/billing/checkout?plan=topup_250", &accept, b"").must(200);
    let from_server = ask(&shop, &json!({"plan": "topup_250"})).must(200);
    for answer in [from_page, from_server] {
        let checkout = answer.json();
        assert_eq!(checkout.as_object().unwrap().keys().collect::<Vec<_>>(), ["checkout_url", "session_id"]);
        let session = checkout["session_id"].as_str().unwrap();
        assert!(checkout["checkout_url"].as_str().unwrap().starts_with(&shop.stripe.url()));
        let session = at_stripe(&shop, session);
        assert_eq!((&session["mode"], &session["client_reference_id"]), (&json!("payment"), &json!("alice")));
        let metadata = ["user_id", "plan"].map(|key| session["metadata"][key].clone());
        assert_eq!(metadata, [json!("alice"), json!("topup_250")]);
        assert_eq!((&session["amount_total"], &session["currency"]), (&json!(2000), &json!("usd")));
    }
    let log = shop.till.wait_for_log("checkout_created", |line| line["event"] == "checkout_created");
    assert_eq!((&log["user_id"], &log["plan"]), (&json!("alice"), &json!("topup_250")));
}

#[test]
fn only_what_is_on_sale_can_be_bought() {
    let shop = Shop::open_with(&[("SPRITE_STRIPE_TOPUP_250_PRICE_ID", "")]);
    let missing = shop.till.wait_for_log("price_missing", |line| line["event"] == "price_missing");
    assert_eq!(
        (&missing["key"], &missing["variable"]),
        (&json!("topup_250"), &json!("SPRITE_STRIPE_TOPUP_250_PRICE_ID"))
    );
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let dashboard = browser.get("/dashboard").must(200);
    assert!(!dashboard.body.contains("plan=topup_250") && !dashboard.body.contains("Better value"));
    let shelf = dashboard.body.split("class=\"packs\"").nth(1).unwrap().split("</ul>").next().unwrap();
    assert_eq!(shelf.matches("Not available at the moment").count(), 1, "{shelf}");
    let csrf = dashboard.form("/billing/checkout?plan=topup_100");

    for (plan, status, code) in [
        ("topup_100", 303, ""),
        ("topup_250", 404, "unknown_plan"),
        ("gold", 404, "unknown_plan"),
        ("free", 404, "unknown_plan"),
        ("TOPUP_100", 404, "unknown_plan"),
        ("<script>", 404, "unknown_plan"),
        ("", 404, "unknown_plan"),
    ] {
        let fields: Vec<(&str, &str)> = csrf.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let plan_in_query: String = form_urlencoded::byte_serialize(plan.as_bytes()).collect();
        let path = format!("/billing/checkout?plan={plan_in_query}");
        let page = browser.post_form(&path, &fields).must(status);
        if status == 404 {
            assert!(page.header("content-type").starts_with("text/html") && !page.body.contains("<script>"), "{plan}");
            assert_eq!(ask(&shop, &json!({"plan": plan})).must(status).code(), code, "{plan}");
        }
    }
    let fields: Vec<(&str, &str)> = csrf.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post_form("/billing/checkout", &fields).must(400);
    assert_eq!(ask(&shop, &json!({})).must(400).code(), "invalid_request");
    let bobs = shop.api.call("POST", "/v1/users/bob/checkout", &json!({"plan": "topup_100"}));
    assert_eq!(bobs.must(404).code(), "unknown_user");
    assert_eq!(shop.visitor().post_form("/billing/checkout?plan=topup_100", &[]).status, 401);
}

#[test]
fn the_way_back_leads_to_allowed_origins_only() {
    let shop = Shop::open_with(&[("SPRITE_RETURN_ORIGINS", "https://app.example,http://localhost:3000")]);
    shop.user("alice");
    let own = shop.till.url.clone();
    let long = "ü".repeat(800);
    let allowed = [
        (None, format!("{own}/dashboard")),
        (Some("/account?a=b".to_owned()), format!("{own}/account?a=b")),
        (Some(format!("{own}/x")), format!("{own}/x")),
        (Some("https://app.example/done?x=1#y".to_owned()), "https://app.example/done?x=1#y".to_owned()),
        (Some("http://localhost:3000/zurück".to_owned()), "http://localhost:3000/zur%C3%BCck".to_owned()),
        (Some("/\u{dd}\u{4b8a1}?x=a|b".to_owned()), format!("{own}/%C3%9D%F1%8B%A2%A1?x=a%7Cb")),
        (Some(format!("/{long}")), format!("{own}/{}", "%C3%BC".repeat(800))),
    ];
    for (return_url, cancel_url) in allowed {
        let checkout = ask(&shop, &json!({"plan": "topup_100", "return_url": return_url})).must(200).json();
        let session = at_stripe(&shop, checkout["session_id"].as_str().unwrap());
        assert_eq!(session["cancel_url"], cancel_url);
        let success = session["success_url"].as_str().unwrap();
        assert_eq!(
            success,
            format!("{own}/billing/return?session_id={{CHECKOUT_SESSION_ID}}"),
            "units are shown first"
        );
    }
    let browser = shop.sign_in("alice");
    let form = browser.get("/dashboard").form("/billing/checkout?plan=topup_100");
    let csrf = form[0].1.as_str();
    let there = "/billing/checkout?plan=topup_100&return_url=https://app.example/done";
    browser.post_form(there, &[("csrf", csrf)]).must(303);
    let too_long = json!({"plan": "topup_100", "return_url": format!("/{}", "ü".repeat(999))});
    let refused = ask(&shop, &too_long).must(400);
    assert!(refused.code() == "return_url_not_allowed" && refused.body.contains("at most 5000"), "{}", refused.body);
    for address in STRANGE_ADDRESSES {
        let refused = ask(&shop, &json!({"plan": "topup_100", "return_url": address}));
        assert_eq!((refused.status, refused.code().as_str()), (400, "return_url_not_allowed"), "{address:?}");
        let encoded: String = form_urlencoded::byte_serialize(address.as_bytes()).collect();
        let page =
            browser.post_form(&format!("/billing/checkout?plan=topup_100&return_url={encoded}"), &[("csrf", csrf)]);
        assert_eq!(page.must(400).header("location"), "", "{address:?}");
    }
}

#[test]
fn promotion_codes_are_taken_where_the_catalogue_says_so() {
    let other = CATALOG
        .replace("key = \"starter\"", "key = \"starter\"\npromotion_codes = false")
        .replace("key = \"topup_100\"", "key = \"topup_100\"\npromotion_codes = true");
    let rows: [(Shop, &[(&str, bool)]); 2] = [
        (Shop::open(), &[("starter", true), ("pro", true), ("topup_100", false), ("topup_250", false)]),
        (
            Shop::open_with_catalog(&other),
            &[("starter", false), ("pro", true), ("topup_100", true), ("topup_250", false)],
        ),
    ];
    for (shop, offers) in rows {
        for (offer, takes_codes) in offers {
            shop.user(offer);
            let (session, checkout) = shop.checkout(offer, offer);
            assert_eq!(at_stripe(&shop, &session)["allow_promotion_codes"] == true, *takes_codes, "{offer}");
            let applied = shop.pay(&checkout, &[("action", "apply"), ("promotion_code", "FREE100")]);
            assert_eq!(applied.status == 200, *takes_codes, "{offer}");
        }
    }
}

#[test]
fn a_checkout_that_names_two_offers_or_two_ways_back_is_refused() {
    let shop = Shop::open();
    shop.user("alice");
    let cookies = shop.sign_in("alice").cookies();
    let script = Client::new(&shop.till.url, &[("cookie", &cookies), ("accept", "application/json")]);
    for (query, field) in [
        ("plan=topup_100&plan=topup_250", "plan"),
        ("plan=topup_100&return_url=/dashboard&return_url=/account", "return_url"),
    ] {
        let refused = script.send("POST", &format!("/billing/checkout?{query}"), &[], b"").must(400);
        assert_eq!(refused.code(), "invalid_request", "{query}");
        assert!(refused.body.contains(&format!("The field {field} is there twice")), "{}", refused.body);
    }
}

#[test]
fn the_return_page_brings_a_plans_units_although_no_webhook_told_of_its_invoice() {
    for is_completed_told in [false, true] {
        let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
        shop.user("alice");
        let alice = shop.sign_in("alice");
        shop.stripe_control("webhooks/hold", &[]);
        let (session, checkout) = shop.checkout("alice", "pro");
        shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
        if is_completed_told {
            let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
            shop.webhook(&webhook::event("checkout.session.completed", &session)).must(200);
            assert_eq!(shop.remaining("alice"), 0, "its invoice brings the units");
        }
        let back = format!("/billing/return?session_id={session}");
        for _ in 0..2 {
            let page = alice.get(&back).must(200).body;
            assert!(page.contains("You now have 500 pictures"), "{page}");
        }
        shop.stripe_control("webhooks/release", &[("order", "reverse")]);
        shop.wait_for_status("alice", "active");
        shop.till_prints(&["reconcile"]);
        assert_eq!(shop.remaining("alice"), 500, "once");
        shop.verify_books();
    }
}

#[test]
fn a_plan_that_was_paid_is_told_although_stripe_knows_its_session_no_more() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    shop.user("alice");
    shop.stripe_control("webhooks/hold", &[]);
    let (session, checkout) = shop.checkout("alice", "pro");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let object = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    shop.webhook(&webhook::event("checkout.session.completed", &object)).must(200);
    shop.stripe_control("faults", &[("path", "/v1/checkout/sessions"), ("kind", "status:404")]);
    let page = shop.sign_in("alice").get(&format!("/billing/return?session_id={session}")).must(200).body;
    assert!(page.contains("You are subscribed to Pro"), "{page}");
}
