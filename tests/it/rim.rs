//! The rim from outside: who may press which button, which errors a program and a person see, and that a movement asked
//! for twice is made once.

use serde_json::json;

use super::harness::{Client, Shop};

#[test]
fn no_other_site_presses_our_buttons() {
    let shop = Shop::open_with(&[("SPRITE_RETURN_ORIGINS", "https://app.example")]);
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let form = browser.get("/dashboard").must(200).form("/billing/checkout?plan=topup_100");
    let token = form.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    let checkout = "/billing/checkout?plan=topup_100";
    let own = format!("csrf={token}");
    for (what, origin, body, status) in [
        ("another site", "https://evil.example", own.as_str(), 403),
        ("another site that hides", "null", "", 403),
        ("no token", &shop.till.url, "", 403),
        (
            "another's token",
            &shop.till.url,
            "csrf=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
            403,
        ),
        ("our own form", &shop.till.url, &own, 303),
    ] {
        let cookie = browser.cookies();
        let caller = Client::new(&shop.till.url, &[("accept", "text/html"), ("origin", origin), ("cookie", &cookie)]);
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let answer = caller.send("POST", checkout, &kind, body.as_bytes());
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
    }
    for (url, status) in [("https://app.example/done", 303), ("https://evil.example/", 400), ("//evil.example", 400)] {
        let path = format!("{checkout}&return_url={url}");
        assert_eq!(browser.post_form(&path, &[("csrf", &token)]).status, status, "{url}");
    }
}

#[test]
fn a_sign_in_link_works_once() {
    let shop = Shop::open();
    shop.user("alice");
    let link = shop.login_link("alice");
    let first = shop.visitor();
    first.get(&link).must(303);
    first.get("/dashboard").must(200);

    let second = shop.visitor();
    assert!(second.get(&link).must(410).body.contains("no longer works"));
    assert_eq!(second.get("/dashboard").must(303).header("location"), "/login");

    let dashboard = first.get("/dashboard");
    first.press(&dashboard, "/logout").must(303);
    first.get("/dashboard").must(303);
    first.get("/v1/me").must(401);
}

#[test]
fn problems_have_their_code_for_programs_and_their_words_for_people() {
    let shop = Shop::open();
    shop.user("alice");
    let (read, anybody) = (shop.program("read"), Client::program(&shop.till.url, "till_wrong"));
    let grant = json!({"units": 1, "note": "x"});
    let rows = [
        (anybody.get("/v1/users/alice"), 401, "unauthenticated"),
        (read.call_once("/v1/users/alice/grants", "k", &grant), 403, "forbidden"),
        (read.get("/v1/users/bob"), 404, "unknown_user"),
        (read.get("/v1/nothing"), 404, "not_found"),
        (shop.api.call("POST", "/v1/users/alice/checkout", &json!({"plan": "gold"})), 404, "unknown_plan"),
        (shop.api.call("POST", "/v1/users/alice/grants", &grant), 400, "invalid_request"),
        (shop.api.call_once("/v1/users/alice/grants", "k", &json!({"units": 1, "colour": 1})), 400, "invalid_request"),
        (shop.api.call("PUT", "/v1/users/a%20b", &json!({})), 400, "invalid_request"),
    ];
    for (answer, status, code) in rows {
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.body);
        assert!(answer.json()["detail"].as_str().unwrap().len() > 20, "{}", answer.body);
    }
    let page = shop.visitor().get("/nothing").must(404);
    assert!(page.header("content-type").starts_with("text/html") && page.body.contains("404"), "{}", page.body);
}

#[test]
fn a_movement_asked_for_twice_is_made_once() {
    let shop = Shop::open();
    shop.user("alice");
    let grant = |key: &str, units: i64| {
        shop.api.call_once("/v1/users/alice/grants", key, &json!({"units": units, "note": "a gift"}))
    };
    let first = grant("k1", 5).must(201);
    let again = grant("k1", 5).must(201);
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    assert_eq!(first.body, again.body);
    assert_eq!(grant("k1", 6).must(422).code(), "idempotency_key_reused");
    grant("k2", -2).must(201);
    assert_eq!(shop.ledger("alice"), [("grant_k2".to_owned(), -2, 3), ("grant_k1".to_owned(), 5, 5)]);
}

#[test]
fn every_page_is_strict_and_every_probe_answers() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    for path in ["/", "/dashboard", "/login", "/nothing", "/billing/return"] {
        let page = browser.get(path);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
    }
    shop.webhook(&json!({"id": "evt_1", "object": "event", "type": "x.y", "livemode": false, "created": 1,
        "data": {"object": {"id": "x_1", "object": "x"}}}))
        .must(200);
    for (path, words) in [("/healthz", "ok"), ("/readyz", "ready"), ("/metrics", "till_webhook_events_total")] {
        let body = browser.get(path).must(200).body;
        assert!(body.contains(words), "{path}: {body}");
    }
    assert!(shop.till.terminate().success());
}
