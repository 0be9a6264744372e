//! Other sites: none of them presses our buttons or reads our answers, unless the operator has named it.

use crate::harness::wire;
use crate::harness::{Client, Shop};

const CHECKOUT: &str = "/billing/checkout?plan=topup_100";
const FRIEND: &str = "https://app.example";

fn from(origin: &str) -> (&str, &str) {
    ("origin", origin)
}

/// Signs in; the cookie and a form's token.
fn session(shop: &Shop, user: &str) -> (String, String) {
    let browser = shop.visitor();
    let arrived = browser.follow(&shop.login_link(user)).must(303);
    let cookie = arrived.header("set-cookie").split(';').next().unwrap().to_owned();
    let form = browser.get("/dashboard").must(200).form(CHECKOUT);
    assert_eq!(form[0].0, "csrf");
    (cookie, form[0].1.clone())
}

/// What it is, the form's token, headers, and the status of the answer.
type Press<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16);

#[test]
fn a_button_is_pressed_from_our_own_pages_or_a_named_front_end() {
    let shop = Shop::open_with(&[("SPRITE_RETURN_ORIGINS", FRIEND)]);
    shop.user("alice");
    shop.user("mallory");
    let own = shop.till.url.clone();
    let (cookie, token) = session(&shop, "alice");
    let (_, other_token) = session(&shop, "mallory");
    let upper = token.to_uppercase();
    let (html, json) = (("accept", "text/html"), ("accept", "application/json"));
    let rows: [Press; 20] = [
        ("our form", &token, &[html, from(&own)], 303),
        ("our form, from a browser that says nothing", &token, &[html], 303),
        ("our form, after a redirect", &token, &[html, from("null")], 303),
        ("our form, on a front end", &token, &[html, from(FRIEND)], 303),
        ("no token", "", &[html, from(&own)], 403),
        ("no token, and nothing said", "", &[html], 403),
        ("no token, from a site that hides", "", &[html, from("null")], 403),
        ("a token of another session", &other_token, &[html, from(&own)], 403),
        ("a token in other letters", &upper, &[html, from(&own)], 403),
        ("half a token", &token[..32], &[html, from(&own)], 403),
        ("zeros", &"0".repeat(64), &[html, from(&own)], 403),
        ("our token on another site", &token, &[html, from("https://evil.example")], 403),
        ("our token on a look-alike", &token, &[html, from("https://app.example.evil.example")], 403),
        ("our token, cross-site", &token, &[html, ("sec-fetch-site", "cross-site")], 403),
        ("JSON from here", "", &[json, from(&own)], 200),
        ("JSON from a front end", "", &[json, from(FRIEND), ("sec-fetch-site", "cross-site")], 200),
        ("JSON from another site", "", &[json, from("https://evil.example")], 403),
        ("JSON from a sandboxed frame", "", &[json, from("null")], 403),
        ("JSON, cross-site", "", &[json, ("sec-fetch-site", "cross-site")], 403),
        ("JSON, from a site beside ours", "", &[json, ("sec-fetch-site", "same-site")], 403),
    ];
    for path in [CHECKOUT, "/billing/portal", "/logout"] {
        for (what, csrf, headers, status) in rows {
            // A press that works does something else there; logout even ends the session.
            if path != CHECKOUT && status != 403 {
                continue;
            }
            let caller = Client::new(&own, headers);
            let form = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie.as_str())];
            let answer = caller.send("POST", path, &form, format!("csrf={csrf}").as_bytes());
            assert_eq!(answer.status, status, "{path}, {what}: {}", answer.body);
        }
    }
    Client::new(&own, &[("cookie", &cookie)]).get("/v1/me").must(200);
}

#[test]
fn answers_are_readable_for_named_origins_and_nowhere_else() {
    let shop = Shop::open_with(&[("SPRITE_RETURN_ORIGINS", FRIEND)]);
    shop.user("alice");
    let (cookie, _) = session(&shop, "alice");
    let cookie = format!("Cookie: {cookie}");
    let own = shop.till.url.clone();
    let read = |first: &str, origin: &str, more: &[&str]| {
        let origin = format!("Origin: {origin}");
        let exchange = wire::ask(&own, first, &[&[origin.as_str(), cookie.as_str()], more].concat());
        let allowed = ["access-control-allow-origin", "access-control-allow-credentials"]
            .map(|name| exchange.header(name).to_owned());
        (exchange, allowed.join(" "))
    };
    let strangers = ["https://evil.example", "https://app.example.evil.example", "http://app.example", "null", "*"];
    for first in ["GET /v1/me", "POST /billing/checkout?plan=topup_100", "GET /billing/return?session_id=cs_1"] {
        let more = ["Accept: application/json", "Content-Length: 0"];
        for origin in [FRIEND, &own] {
            let (exchange, allowed) = read(first, origin, &more);
            assert_eq!(allowed, format!("{origin} true"), "{first} from {origin}");
            assert_eq!(exchange.header("access-control-expose-headers"), "Retry-After", "{first}");
            let varies = exchange
                .head
                .lines()
                .filter(|line| line.starts_with("vary: "))
                .any(|line| line.to_lowercase().contains("origin"));
            assert!(varies, "{first}: {}", exchange.head);
        }
        for origin in strangers {
            assert_eq!(read(first, origin, &more).1, " ", "{first} from {origin}");
        }
        // A preflight.
        let first = first.split_once(' ').map(|(_, path)| format!("OPTIONS {path}")).unwrap();
        let asks = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"];
        let (exchange, allowed) = read(&first, FRIEND, &asks);
        assert_eq!((exchange.status, allowed), (204, format!("{FRIEND} true")), "{first}");
        assert!(exchange.header("access-control-allow-methods").contains("POST"), "{}", exchange.head);
        assert!(
            exchange.header("access-control-allow-headers").to_lowercase().contains("content-type"),
            "{}",
            exchange.head
        );
        for origin in strangers {
            let (exchange, allowed) = read(&first, origin, &asks);
            assert_eq!((exchange.status, allowed.as_str()), (405, " "), "{first} from {origin}");
        }
    }
    for first in
        ["GET /", "GET /dashboard", "GET /login", "POST /logout", "GET /v1/users", "OPTIONS /v1/users", "GET /nothing"]
    {
        let (exchange, allowed) = read(first, FRIEND, &["Access-Control-Request-Method: GET"]);
        assert!(allowed == " " && !exchange.head.contains("access-control"), "{first}: {}", exchange.head);
    }
}

#[test]
fn a_wrong_base_url_is_seen_in_the_log() {
    let shop = Shop::open_with(&[("SPRITE_BASE_URL", "http://127.0.0.1:1"), ("SPRITE_RETURN_ORIGINS", FRIEND)]);
    let ready = shop.till.wait_for_log("ready", |line| line["event"] == "ready");
    let here = format!("http://{}", ready["listen"].as_str().unwrap());
    let browser = Client::new(&here, &[]);
    // The form is our own, and the browser says where it sees us.
    let headers = [from(&here), ("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    browser.send("POST", "/login", &headers, b"token=x&csrf=y").must(403);
    let line = shop.till.wait_for_log("the refusal", |line| line["event"] == "refused" && line["kind"] == "permission");
    let expected = format!("http://127.0.0.1:1 {FRIEND}");
    assert_eq!((line["origin"].as_str(), line["expected"].as_str()), (Some(here.as_str()), Some(expected.as_str())));
}

#[test]
fn many_refusals_of_one_kind_do_not_hide_one_of_another() {
    let shop = Shop::open();
    let browser = Client::browser(&shop.till.url);
    for _ in 0..5 {
        browser.get("/v1/me").must(401);
    }
    browser.post_form("/login", &[("token", "x"), ("csrf", "y")]).must(403);
    shop.till.wait_for_log("the other refusal", |line| line["event"] == "refused" && line["kind"] == "permission");
}
