//! Headers of pages and of requests: HTTPS alone where it is public, forms that lead where they must, and no header twice.

use serde_json::json;

use crate::harness::shop::{token, variables};
use crate::harness::wire;
use crate::harness::{Client, Folder, Shop, Till};

/// What `form-action` allows on a page.
fn forms_of(browser: &Client, path: &str) -> String {
    let answer = browser.get(path);
    let policy = answer.header("content-security-policy");
    policy.split("form-action ").nth(1).unwrap_or_else(|| panic!("{path}: {policy}")).to_owned()
}

#[test]
fn forms_lead_to_stripe_only_from_pages_that_have_such_forms() {
    let shop = Shop::open_with(&[("SPRITE_RETURN_ORIGINS", "https://app.example,http://localhost:3000")]);
    shop.user("alice");
    let link = shop.login_link("alice");
    let (visitor, browser) = (shop.visitor(), shop.sign_in("alice"));
    for path in ["/", "/login", "/docs", "/nothing", "/billing/return"] {
        assert_eq!(forms_of(&visitor, path), "'self'", "{path}");
    }
    let with_stripe = format!("'self' {} http://127.0.0.1:* http://localhost:*", shop.stripe.url());
    for path in ["/", "/dashboard"] {
        assert_eq!(forms_of(&browser, path), with_stripe, "{path}");
    }
    for path in ["/docs", "/login", "/nothing"] {
        assert_eq!(forms_of(&browser, path), "'self'", "{path}");
    }
    assert_eq!(forms_of(&visitor, &link), "'self' https://app.example http://localhost:3000");
}

#[test]
fn under_https_browsers_use_nothing_else() {
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    variables.insert("SPRITE_BASE_URL".to_owned(), "https://pay.example".to_owned());
    let till = Till::start(&variables);
    let ready = till.wait_for_log("ready", |line| line["event"] == "ready");
    let origin = format!("http://{}", ready["listen"].as_str().unwrap());
    let api = Client::program(&origin, &token(&variables, "admin"));
    api.call("PUT", "/v1/users/alice", &json!({})).must(201);
    for path in ["/", "/login", "/nothing", "/healthz", "/readyz", "/v1/users", "/v1/users/alice", "/billing/return"] {
        assert_eq!(api.get(path).header("strict-transport-security"), "max-age=31536000", "{path}");
    }
    let plain = Shop::open();
    assert_eq!(plain.visitor().get("/").header("strict-transport-security"), "");
}

#[test]
fn a_header_that_is_there_once_is_not_there_twice() {
    let shop = Shop::open();
    shop.user("alice");
    let bearer = format!("Authorization: Bearer {}", shop.token());
    // The first `Host` is the harness's own.
    for (first, headers) in [
        ("GET /login", vec!["Host: evil.example"]),
        ("GET /nothing", vec!["Host: till"]),
        ("GET /v1/users/alice", vec!["Host: till", &bearer]),
        ("GET /v1/users/alice", vec![&bearer, &bearer]),
        ("GET /v1/users/alice", vec![&bearer, "Authorization: Bearer till_x"]),
        ("POST /billing/webhook", vec!["Host: till", "Content-Length: 0"]),
        ("POST /login", vec!["Origin: https://evil.example", "Origin: null", "Content-Length: 0"]),
    ] {
        let refused = wire::ask(&shop.till.url, first, &headers);
        assert_eq!(refused.status, 400, "{first} {headers:?}");
    }
    assert_eq!(wire::ask(&shop.till.url, "GET /v1/users/alice", &[&bearer]).status, 200);
}
