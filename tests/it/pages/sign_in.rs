//! Signing in by a link: looking at it changes nothing, its page says whom it signs in, and only its own button does so.

use serde_json::json;

use crate::harness::{Client, Shop};

fn csrf(fields: &[(String, String)]) -> String {
    fields.iter().find(|(name, _)| name == "csrf").unwrap().1.clone()
}

/// What it is, the cookie, the body, the headers, and the status that is expected.
type Press<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], u16);

#[test]
fn a_link_shows_whom_it_signs_in_and_only_the_button_uses_it() {
    let shop = Shop::open();
    shop.api.call("PUT", "/v1/users/alice", &json!({"name": "Alice", "email": "alice@example.org"})).must(201);
    let link = shop.login_link("alice");
    for method in ["GET", "HEAD", "GET"] {
        let scanner = Client::new(&shop.till.url, &[]);
        scanner.send(method, &link, &[], b"").must(200);
    }
    let browser = shop.visitor();
    let page = browser.get(&link).must(200);
    assert!(page.body.contains("Sign in as Alice?") && page.body.contains("alice@example.org"), "{}", page.body);
    assert!(!page.body.contains("You are signed in here as"), "{}", page.body);
    assert_eq!(page.header("referrer-policy"), "no-referrer", "the address has the secret");
    assert_eq!(browser.get("/dashboard").must(303).header("location"), "/login", "not signed in yet");

    let arrived = browser.press(&page, "/login").must(303);
    assert_eq!(arrived.header("location"), "/dashboard");
    assert_eq!(browser.get("/v1/me").must(200).json()["id"], "alice");
    assert!(!browser.cookies().contains("till-form"), "the form's cookie is gone: {}", browser.cookies());
    browser.get(&link).must(410);
    // Pressed a second time, as by a double click.
    let again = shop.visitor();
    let fresh = again.get(&shop.login_link("alice")).must(200);
    let spent = page.form("/login").into_iter().find(|(name, _)| name == "token").unwrap().1;
    again.post_form("/login", &[("csrf", &csrf(&fresh.form("/login"))), ("token", &spent)]).must(410);
    again.post_form("/login", &[("csrf", &csrf(&fresh.form("/login")))]).must(410);
}

#[test]
fn the_button_ends_the_session_that_was_open_here() {
    let shop = Shop::open();
    shop.api.call("PUT", "/v1/users/alice", &json!({"name": "Alice"})).must(201);
    shop.api.call("PUT", "/v1/users/bob", &json!({"name": "Bob"})).must(201);
    let browser = shop.sign_in("bob");
    let former = Client::new(&shop.till.url, &[("cookie", &browser.cookies()), ("accept", "application/json")]);
    let elsewhere = shop.sign_in("bob");
    let page = browser.get(&shop.login_link("alice")).must(200);
    assert!(page.body.contains("You are signed in here as Bob."), "{}", page.body);
    assert_eq!(former.get("/v1/me").must(200).json()["id"], "bob", "looking ends nothing");
    browser.press(&page, "/login").must(303);
    assert_eq!(browser.get("/v1/me").must(200).json()["id"], "alice");
    former.get("/v1/me").must(401);
    assert_eq!(elsewhere.get("/v1/me").must(200).json()["id"], "bob", "another browser is left alone");

    // The same user again: nothing to say, and the old session ends too.
    let former = Client::new(&shop.till.url, &[("cookie", &browser.cookies()), ("accept", "application/json")]);
    let page = browser.get(&shop.login_link("alice")).must(200);
    assert!(!page.body.contains("You are signed in here as"), "{}", page.body);
    browser.press(&page, "/login").must(303);
    former.get("/v1/me").must(401);
    browser.get("/v1/me").must(200);
}

#[test]
fn no_other_site_signs_a_buyer_in() {
    let friend = "https://app.example";
    let shop = Shop::open_with(&[("SPRITE_RETURN_ORIGINS", friend)]);
    shop.user("mallory");
    let own = shop.till.url.clone();
    // What another site can have: a link of its own account, and a form's token and cookie from its own browser.
    let mallory = shop.visitor();
    let link = shop.login_link("mallory");
    let form = mallory.get(&link).must(200).form("/login");
    let theirs = mallory.cookies();
    let victim = shop.visitor();
    victim.get(&shop.login_link("mallory")).must(200);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
    let without = body.replace("csrf=", "other=");
    let here = [("origin", own.as_str())];
    let hidden = [("origin", "null"), ("sec-fetch-site", "same-origin")];
    let rows: [Press<'_>; 11] = [
        ("no cookie", "", &body, &here, 403),
        ("the victim's cookie", &victim.cookies(), &body, &here, 403),
        ("no token", &theirs, &without, &here, 403),
        ("a browser that names nothing", &theirs, &body, &[], 403),
        ("another site", &theirs, &body, &[("origin", "https://evil.example")], 403),
        ("a front end", &theirs, &body, &[("origin", friend)], 403),
        ("a front end by script", &theirs, &body, &[("origin", friend), ("accept", "application/json")], 403),
        ("a site that hides", &theirs, &body, &[("origin", "null"), ("sec-fetch-site", "cross-site")], 403),
        ("cross-site", "", &body, &[("sec-fetch-site", "cross-site")], 403),
        ("a site beside ours", &theirs, &body, &[("sec-fetch-site", "same-site")], 403),
        ("our own page, which hides its address", &theirs, &body, &hidden, 303),
    ];
    for (what, cookie, body, headers, status) in rows {
        let more = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie)];
        let answer = Client::new(&own, headers).send("POST", "/login", &more, body.as_bytes());
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        assert_eq!(answer.header("set-cookie").is_empty(), status != 303, "{what}");
    }
    // A link is never used by its address alone, whatever the method.
    let link = shop.login_link("mallory");
    let path = link.strip_prefix(&own).unwrap();
    Client::browser(&own).post_form(path, &[]).must(403);
    mallory.get(&link).must(200);
}

#[test]
fn sign_out_is_a_press_too() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let asked = browser.get("/logout").must(200);
    assert!(asked.body.contains("Sign out?"), "{}", asked.body);
    browser.get("/v1/me").must(200);
    let dashboard = browser.get("/dashboard").must(200);
    let left = browser.press(&dashboard, "/logout").must(303);
    assert!(left.header("clear-site-data").contains("cache"), "{}", left.header("clear-site-data"));
    browser.get("/v1/me").must(401);
}

#[test]
fn a_second_tab_signs_out_of_a_session_that_has_ended_already() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let tab = browser.get("/logout").must(200);
    browser.press(&tab, "/logout").must(303);
    let again = browser.press(&tab, "/logout").must(303);
    assert_eq!((again.header("location"), again.header("set-cookie")), ("/login?signed-out", ""));
    assert_eq!(browser.get("/logout").must(303).header("location"), "/login");
    // Another site's form comes without the cookie, which stays.
    let foreign =
        Client::new(&shop.till.url, &[("origin", "https://evil.example")]).post_form("/logout", &[]).must(303);
    assert_eq!((foreign.header("set-cookie"), foreign.header("clear-site-data")), ("", ""));
}

#[test]
fn a_program_without_a_session_is_told_so_and_not_sent_to_a_page() {
    let shop = Shop::open();
    let program = Client::new(&shop.till.url, &[("accept", "application/json")]);
    for path in [
        "/dashboard",
        "/dashboard/activity",
        "/dashboard/activity.csv",
        "/dashboard/balance",
        "/dashboard/statement",
        "/dashboard/receipts/x",
        "/account",
        "/account/data.json",
        "/login/second",
        "/admin",
        "/admin/users",
        "/logout",
    ] {
        assert_eq!(program.get(path).must(401).code(), "unauthenticated", "{path}");
    }
    for path in ["/login?token=bad", "/confirm?code=bad", "/confirm"] {
        assert_eq!(program.get(path).must(410).code(), "not_found", "{path}");
        let page = shop.visitor().get(path).must(410);
        assert!(page.body.starts_with("<!doctype html>"), "{path}: {}", page.body);
    }
}
