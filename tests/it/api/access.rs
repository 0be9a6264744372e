//! Who may come in: tokens with their scopes, sign-in links, the cookie. And that none of these secrets is ever logged or stored.

use std::fs;

use serde_json::{Value, json};
use till::clock::parse_rfc3339;

use crate::harness::client::Answer;
use crate::harness::port::free_port;
use crate::harness::shop::{GOOD_CARD, WEBHOOK_SECRET, token, variables};
use crate::harness::webhook::now;
use crate::harness::wire;
use crate::harness::{Client, Folder, Shop, Till, eventually};

#[test]
fn each_route_asks_for_its_scope() {
    let shop = Shop::open();
    shop.user("alice");
    let (read, spend, admin) = (shop.program("read"), shop.program("spend"), shop.program("admin"));
    let both = shop.program("read,spend");
    let sell = shop.program("sell");
    let unknown = Client::program(&shop.till.url, &format!("till_{}", "a".repeat(52)));
    let nobody = Client::new(&shop.till.url, &[]);
    let (grant, plan) = (json!({"units": 9, "note": "n"}), json!({"plan": "topup_100"}));
    shop.api.call_once("/v1/users/alice/grants", "k", &grant).must(201);
    let [hold, other_hold] = ["a", "b"].map(|key| {
        let held = shop.api.call_once("/v1/users/alice/holds", key, &json!({"units": 1})).must(201).json();
        format!("/v1/holds/{}", held["id"].as_str().unwrap())
    });
    let rows = [
        ("GET", "/v1/users", Value::Null, "read", 200),
        ("GET", "/v1/users/alice", Value::Null, "read", 200),
        ("GET", "/v1/users/alice/ledger", Value::Null, "read", 200),
        ("GET", hold.as_str(), Value::Null, "read", 200),
        ("POST", "/v1/users/alice/spends", json!({"units": 1}), "spend", 201),
        (
            "POST",
            "/v1/spends",
            json!({"spends": [{"user_id": "alice", "units": 1, "idempotency_key": "k"}]}),
            "spend",
            200,
        ),
        ("POST", "/v1/users/alice/holds", json!({"units": 1}), "spend", 201),
        ("POST", &format!("{hold}/capture"), json!({}), "spend", 200),
        ("POST", &format!("{other_hold}/release"), json!({}), "spend", 200),
        ("PUT", "/v1/users/alice", json!({}), "sell", 200),
        ("POST", "/v1/users/alice/grants", grant, "admin", 201),
        ("POST", "/v1/users/alice/login-links", json!({}), "sell", 201),
        ("POST", "/v1/users/alice/checkout", plan, "sell", 200),
        // After the checkout, which made a customer.
        ("POST", "/v1/users/alice/portal", json!({}), "sell", 200),
    ];
    for (method, path, body, needed, good) in rows {
        let status = |caller: &Client| match method {
            "GET" => caller.get(path),
            _ => {
                let headers = [("content-type", "application/json"), ("idempotency-key", "k")];
                caller.send(method, path, &headers, body.to_string().as_bytes())
            }
        };
        let [if_spend, if_read, if_sell] =
            ["spend", "read", "sell"].map(|scope| if needed == scope { good } else { 403 });
        let if_both = if_spend.min(if_read);
        let all = [&nobody, &unknown, &spend, &read, &both, &sell, &admin].map(|caller| status(caller).status);
        assert_eq!(all, [401, 401, if_spend, if_read, if_both, if_sell, good], "{method} {path}");
        let refused = status(&nobody);
        assert_eq!((refused.code().as_str(), refused.header("www-authenticate")), ("unauthenticated", "Bearer"));
        let too_little = status(if needed == "spend" { &read } else { &spend });
        assert_eq!(too_little.code(), "forbidden", "{method} {path}");
    }
    // The catalogue is for every token.
    for (caller, expected) in [(&nobody, 401), (&unknown, 401), (&spend, 200), (&sell, 200), (&admin, 200)] {
        assert_eq!(caller.get("/v1/catalog").status, expected);
    }
    // A script without a cookie.
    let script = Client::browser(&shop.till.url).get("/v1/me").must(401);
    assert_eq!((script.code().as_str(), script.header("www-authenticate")), ("unauthenticated", "Bearer"));
    // A token is no user, and a cookie no token.
    assert_eq!(admin.get("/v1/me").must(401).code(), "unauthenticated");
    assert_eq!(shop.sign_in("alice").get("/v1/users/alice").must(401).code(), "unauthenticated");
}

#[test]
fn a_token_works_as_it_was_made_until_it_is_revoked() {
    let shop = Shop::open();
    let made: Value =
        serde_json::from_str(&shop.till_prints(&["token", "create", "pipe", "--scopes", "read", "--json"])).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let listed = || {
        let list: Value = serde_json::from_str(&shop.till_prints(&["token", "list", "--json"])).unwrap();
        list["data"].as_array().unwrap().iter().find(|token| token["id"] == id).unwrap().clone()
    };
    let anybody = Client::new(&shop.till.url, &[]);
    let with = |value: &str| anybody.send("GET", "/v1/users", &[("authorization", value)], b"").status;
    for value in [
        "",
        "Bearer",
        "Bearer ",
        secret,
        &format!("Basic {secret}"),
        &format!("Bearer {}", secret.to_uppercase()),
        &format!("Bearer {secret}x"),
        &format!("Bearer {}", &secret[..secret.len() - 1]),
        &format!("Bearer {}", &secret["till_".len()..]),
        &format!("Bearer {secret} {secret}"),
        &format!("Bearer\t{secret}"),
        &format!("Bearer till_{}", "a".repeat(20_000)),
    ] {
        assert_eq!(with(value), 401, "{value}");
    }
    assert!(listed()["last_used_at"].is_null());
    let before = now();
    assert_eq!((with(&format!("Bearer {secret}")), with(&format!("bearer {secret}"))), (200, 200));
    // Remembered beside the answer, which does not wait for it.
    let used = eventually("its use is remembered", || parse_rfc3339(listed()["last_used_at"].as_str()?));
    assert!(before <= used && used <= now());

    shop.till_prints(&["token", "revoke", id]);
    assert_eq!(with(&format!("Bearer {secret}")), 401);
}

fn link(shop: &Shop, body: &Value) -> Answer {
    shop.api.call("POST", "/v1/users/alice/login-links", body)
}

#[test]
fn a_sign_in_link_lives_five_minutes_and_works_once() {
    let shop = Shop::open();
    shop.user("alice");
    let before = now();
    let made = link(&shop, &json!({})).must(201).json();
    let expires = parse_rfc3339(made["expires_at"].as_str().unwrap()).unwrap();
    assert!(before.plus_seconds(300) <= expires && expires <= now().plus_seconds(300));
    let url = made["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/login?token=", shop.till.url)), "{url}");

    // What only looks at a link, as mail scanners and messengers do, does not use it up.
    let scanner = shop.visitor();
    assert_eq!(scanner.send("HEAD", url, &[], b"").must(200).header("set-cookie"), "");
    let browser = shop.visitor();
    assert_eq!(browser.get("/dashboard").must(303).header("location"), "/login");
    let arrived = browser.follow(url).must(303);
    assert_eq!(arrived.header("location"), "/dashboard");
    let cookie = arrived.header("set-cookie").to_owned();
    assert!(cookie.starts_with("till="), "{cookie}");
    for flag in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=2592000"] {
        assert!(cookie.contains(flag), "{flag} is not in {cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"), "{cookie}");

    for spent in [url, &format!("{}/login?token=", shop.till.url), &format!("{}/login?token=%FFx", shop.till.url)] {
        let other = shop.visitor();
        let page = other.get(spent).must(410);
        assert!(page.body.contains("This sign-in link no longer works"), "{}", page.body);
        assert_eq!(page.header("set-cookie"), "");
    }
    assert_eq!(link(&shop, &json!({})).must(201).json()["url"].as_str().map(|other| other == url), Some(false));
    let missing = shop.api.call("POST", "/v1/users/bob/login-links", &json!({})).must(404);
    assert_eq!(missing.code(), "unknown_user");
}

#[test]
fn a_session_survives_a_restart_and_ends_with_logout() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.visitor();
    let arrived = browser.follow(&shop.login_link("alice")).must(303);
    let copied = arrived.header("set-cookie").split(';').next().unwrap().to_owned();
    let shop = shop.crash_and_restart();
    let dashboard = browser.get("/dashboard").must(200);
    let nobody = shop.visitor().post_form("/logout", &[]).must(303);
    assert_eq!((nobody.header("location"), nobody.header("set-cookie")), ("/login?signed-out", ""));

    let left = browser.press(&dashboard, "/logout").must(303);
    assert_eq!(left.header("location"), "/login?signed-out");
    assert!(left.header("set-cookie").starts_with("till=; Path=/; Max-Age=0;"), "{}", left.header("set-cookie"));
    assert!(browser.get(left.header("location")).must(200).body.contains("You are signed out"));
    assert_eq!(browser.get("/dashboard").must(303).header("location"), "/login");
    let thief = Client::new(&shop.till.url, &[("cookie", &copied)]);
    assert_eq!(thief.get("/v1/me").must(401).code(), "unauthenticated", "the session ended, not only the cookie");
}

#[test]
fn a_link_leads_on_to_allowed_origins_only() {
    let shop = Shop::open_with(&[("SPRITE_RETURN_ORIGINS", "https://app.example,http://localhost:3000")]);
    shop.user("alice");
    let own = shop.till.url.clone();
    let long = format!("/{}", "a".repeat(2000));
    let allowed = [
        ("/account?a=b#c", format!("{own}/account?a=b#c")),
        ("https://app.example/done?x=1&y=%20", "https://app.example/done?x=1&y=%20".to_owned()),
        ("http://localhost:3000", "http://localhost:3000".to_owned()),
        ("https://app.example:443/", "https://app.example:443/".to_owned()),
        ("https://app.example/zurück", "https://app.example/zur%C3%BCck".to_owned()),
        ("/größe", format!("{own}/gr%C3%B6%C3%9Fe")),
    ];
    for (return_to, location) in allowed {
        let url = link(&shop, &json!({"return_to": return_to})).must(201).json()["url"].as_str().unwrap().to_owned();
        assert_eq!(shop.visitor().follow(&url).must(303).header("location"), location);
    }
    for return_to in crate::billing::checkout::STRANGE_ADDRESSES.iter().chain(&[long.as_str()]) {
        let refused = link(&shop, &json!({"return_to": return_to}));
        assert_eq!((refused.status, refused.code().as_str()), (400, "return_url_not_allowed"), "{return_to}");
    }
}

#[test]
fn under_https_the_cookie_is_bound_to_it() {
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    variables.insert("SPRITE_BASE_URL".to_owned(), "https://pay.example".to_owned());
    let till = Till::start(&variables);
    let ready = till.wait_for_log("ready", |line| line["event"] == "ready");
    let origin = format!("http://{}", ready["listen"].as_str().unwrap());
    let api = Client::program(&origin, &token(&variables, "admin"));
    api.call("PUT", "/v1/users/alice", &json!({})).must(201);
    let url = api.call("POST", "/v1/users/alice/login-links", &json!({})).must(201).json()["url"].clone();
    let path = url.as_str().unwrap().strip_prefix("https://pay.example").unwrap().to_owned();

    let browser = Client::new(&origin, &[("origin", "https://pay.example"), ("accept", "text/html")]);
    let cookie = browser.follow(&path).must(303).header("set-cookie").to_owned();

    let parts: Vec<&str> = cookie.split("; ").collect();
    assert!(parts[0].starts_with("__Host-till="), "{cookie}");
    for flag in ["Secure", "HttpOnly", "Path=/", "SameSite=Lax"] {
        assert!(parts.contains(&flag), "{flag} is not in {cookie}");
    }
    let dashboard = browser.get("/dashboard").must(200);
    let stolen = parts[0].replace("__Host-till", "till");
    assert_eq!(Client::new(&origin, &[("cookie", &stolen)]).get("/v1/me").status, 401, "only the bound name counts");
    let left = browser.press(&dashboard, "/logout").must(303);
    assert!(left.header("set-cookie").starts_with("__Host-till=; ") && left.header("set-cookie").contains("; Secure"));
}

#[test]
fn secrets_are_neither_logged_nor_stored() {
    let shop = Shop::open_with(&[("SPRITE_LOG", "trace")]);
    shop.user("alice");
    let made: Value =
        serde_json::from_str(&shop.till_prints(&["token", "create", "pipe", "--scopes", "admin", "--json"])).unwrap();
    let secret = made["token"].as_str().unwrap();
    let api = Client::program(&shop.till.url, secret);
    api.get("/v1/users").must(200);
    Client::program(&shop.till.url, "till_mistyped").get("/v1/users").must(401);
    let (link, unused) = (shop.login_link("alice"), shop.login_link("alice"));
    let browser = shop.visitor();
    let cookie = browser.follow(&link).must(303).header("set-cookie").to_owned();
    let dashboard = browser.get("/dashboard").must(200);
    let form = dashboard.form("/logout");
    shop.visitor().get(&link).must(410);
    let checkout = shop.press_buy(&browser, "topup_100");
    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    browser.get(back.header("location")).must(200);
    shop.wait_for_units("alice", 100);
    shop.webhook_bytes(b"{}", &format!("t=1,v1={WEBHOOK_SECRET}")).must(400);
    browser.press(&dashboard, "/logout").must(303);

    let after_sign = |text: &str| text.split(';').next().unwrap().rsplit('=').next().unwrap().to_owned();
    let log = shop.till.log();
    assert!(log.contains("topup_processed") && log.contains("webhook_rejected"), "{log}");
    let hand = shop.hand();
    let books = match hand.is_in_a_file() {
        true => ["till.db", "till.db-wal"].map(|name| fs::read(shop.file(name)).unwrap()).concat(),
        false => hand.everything().join("\n").into_bytes(),
    };
    assert!(contains(&books, "topup_100"));
    for hidden in [
        secret,
        &secret["till_".len()..],
        shop.token(),
        "till_mistyped",
        &after_sign(&link),
        &after_sign(&unused),
        &after_sign(&cookie),
        &form[0].1,
        "sk_test_stories",
        WEBHOOK_SECRET,
        GOOD_CARD,
        &GOOD_CARD.replace(' ', ""),
    ] {
        assert!(!log.contains(hidden), "{hidden} is in the log: {:?}", log.lines().find(|line| line.contains(hidden)));
        assert!(!contains(&books, hidden), "{hidden} is in the books");
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Header lines, and the status of an answer.
type Asked<'a> = (&'a [&'a str], u16);

/// The metrics of a till for this machine alone are for callers on it.
#[test]
fn a_forwarded_address_counts_from_a_trusted_proxy_only() {
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    let rows: [(&str, &[Asked]); 2] = [
        (
            "127.0.0.1/32,10.0.0.0/8",
            &[
                (&[], 200),
                (&["X-Forwarded-For: 127.0.0.1"], 200),
                (&["X-Forwarded-For: 203.0.113.7"], 401),
                (&["X-Forwarded-For: 127.0.0.1, 203.0.113.7"], 401),
                (&["X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 203.0.113.7"], 401),
                (&["X-Forwarded-For: 203.0.113.7, 10.1.2.3"], 401),
                (&["X-Forwarded-For: 127.0.0.1, 203.0.113.7:4711"], 401),
                (&["X-Forwarded-For: 127.0.0.1, [2001:db8::7]:4711"], 401),
                (&["X-Forwarded-For: 127.0.0.1, unknown"], 401),
                (&["X-Forwarded-For: 10.1.2.3"], 401),
                (&["X-Forwarded-For: 203.0.113.7, 127.0.0.1"], 401),
            ],
        ),
        ("none", &[(&[], 200), (&["X-Forwarded-For: 203.0.113.7"], 200)]),
    ];
    for (proxies, asks) in rows {
        variables.insert("SPRITE_TRUSTED_PROXIES".to_owned(), proxies.to_owned());
        let till = Till::start(&variables);
        for (headers, status) in asks {
            assert_eq!(wire::ask(&till.url, "GET /metrics", headers).status, *status, "{proxies}: {headers:?}");
        }
    }
}

#[test]
fn the_metrics_of_a_public_till_need_a_token_or_an_address_of_their_own() {
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    variables.insert("SPRITE_BASE_URL".to_owned(), "https://pay.example".to_owned());
    let [read, spend, admin] = ["read", "spend", "admin"].map(|scopes| token(&variables, scopes));
    let origin = |till: &Till| {
        let ready = till.wait_for_log("ready", |line| line["event"] == "ready");
        format!("http://{}", ready["listen"].as_str().unwrap())
    };
    let till = Till::start(&variables);
    // A proxy on this machine that sends no X-Forwarded-For makes nobody local.
    for (token, status) in [("", 401), ("till_x", 401), (&*spend, 403), (&*read, 200), (&*admin, 200)] {
        for forwarded in ["", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 203.0.113.7"] {
            let bearer = format!("Authorization: Bearer {token}");
            let headers: Vec<&str> = [&*bearer, forwarded].into_iter().filter(|line| !line.is_empty()).collect();
            let headers = if token.is_empty() { &headers[1..] } else { &headers };
            assert_eq!(wire::ask(&origin(&till), "GET /metrics", headers).status, status, "{token} {forwarded}");
        }
    }
    drop(till);

    let own = format!("127.0.0.1:{}", free_port());
    variables.insert("SPRITE_METRICS_LISTEN".to_owned(), own.clone());
    let till = Till::start(&variables);
    let bearer = format!("Authorization: Bearer {admin}");
    assert_eq!(wire::ask(&origin(&till), "GET /metrics", &[&bearer]).status, 404, "it is elsewhere");
    let own = format!("http://{own}");
    let metrics = wire::ask(&own, "GET /metrics", &[]);
    assert!(metrics.status == 200 && String::from_utf8_lossy(&metrics.body).contains("till_commit_seconds"));
    for path in ["/", "/dashboard", "/v1/users", "/healthz", "/metrics/"] {
        assert_eq!(wire::ask(&own, &format!("GET {path}"), &[&bearer]).status, 404, "{path}");
    }
    assert_eq!(wire::ask(&own, "POST /metrics", &["Content-Length: 0"]).status, 405);
}
