//! People whom a proxy in front of till names in a header: exactly one line, from a proxy that is trusted by hand or sends its
//! secret; and a session of our own that ends with the name.

use serde_json::json;

use crate::harness::process;
use crate::harness::{Answer, Client, Shop};

const SECRET: &str = "a-secret-of-the-proxy";
const PROXY: [(&str, &str); 2] = [("SPRITE_PROXY_AUTH_HEADER", "Remote-Email"), ("SPRITE_PROXY_AUTH_SECRET", SECRET)];

/// A browser behind the proxy, which names this person with each request.
fn behind(shop: &Shop, name: &str) -> Client {
    let url = shop.till.url.as_str();
    let own = [("accept", "text/html"), ("origin", url), ("sec-fetch-site", "same-origin")];
    Client::new(url, &[&own[..], &[("remote-email", name), ("x-till-proxy-secret", SECRET)]].concat())
}

fn id_of(browser: &Client) -> String {
    browser.get("/v1/me").must(200).json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_named_person_has_one_account_and_a_session_of_our_own() {
    let shop = Shop::open_with(&PROXY);
    let ada = behind(&shop, "ada@example.org");
    ada.get("/dashboard").must(200);
    let id = id_of(&ada);
    assert!(id.starts_with("u_") && ada.cookies().contains("till="), "{id} {}", ada.cookies());
    let session = ada.cookies();
    ada.get("/dashboard").must(200);
    assert_eq!(ada.cookies(), session, "one session for all requests");
    assert_eq!(id_of(&behind(&shop, "ada@example.org")), id, "another browser, the same account");
    let german = Client::new(
        &shop.till.url,
        &[("accept-language", "de"), ("remote-email", "bea@example.org"), ("x-till-proxy-secret", SECRET)],
    );
    german.get("/dashboard").must(200);
    let bea = german.get("/account/data.json").must(200).json();
    assert_eq!(bea["language"], "de", "an account speaks as the browser that made it: {bea}");
    // Forms work as they do for everybody.
    let page = ada.get("/account").must(200);
    ada.fill(&page, "/account/name", &[("name", "Ada")]).must(303);
    assert_eq!(ada.get("/v1/me").must(200).json()["name"], "Ada");

    // Another name in the same browser ends the session.
    let bob = Client::new(
        &shop.till.url,
        &[("accept", "text/html"), ("remote-email", "bob"), ("x-till-proxy-secret", SECRET), ("cookie", &session)],
    );
    assert_ne!(id_of(&bob), id);
    let stolen = Client::new(&shop.till.url, &[("accept", "application/json"), ("cookie", &session)]);
    stolen.get("/v1/me").must(401);
    // A session that the proxy began is good behind the proxy alone.
    ada.get("/dashboard").must(200);
    let past = Client::new(&shop.till.url, &[("accept", "application/json"), ("cookie", &ada.cookies())]);
    past.get("/v1/me").must(401);
    assert_eq!(id_of(&ada), id);
}

#[test]
fn a_forged_header_is_refused_and_logged() {
    let shop = Shop::open_with(&PROXY);
    let ask = |headers: &[(&str, &str)]| -> Answer {
        Client::new(&shop.till.url, headers).send("GET", "/dashboard", &[], b"")
    };
    let secret = ("x-till-proxy-secret", SECRET);
    for headers in [
        &[("remote-email", "ada")][..],
        &[("remote-email", "ada"), ("x-till-proxy-secret", "another-secret-of-it")],
        &[("remote-email", "ada"), ("Remote-Email", "ada"), secret],
        &[("remote-email", "ada, eve"), secret],
        &[("remote-email", &"x".repeat(256)), secret],
    ] {
        let refused = ask(headers).must(400);
        assert!(refused.header("set-cookie").is_empty(), "{headers:?}");
    }
    shop.till.wait_for_log("the refusal", |line| line["event"] == "refused" && line["kind"] == "proxy");
    // Nobody is named: a visitor.
    assert_eq!(ask(&[("remote-email", ""), secret]).must(303).header("location"), "/login");
    assert_eq!(ask(&[]).must(303).header("location"), "/login");
    let far =
        Shop::open_with(&[("SPRITE_PROXY_AUTH_HEADER", "Remote-Email"), ("SPRITE_TRUSTED_PROXIES", "192.0.2.1/32")]);
    Client::new(&far.till.url, &[("remote-email", "ada")]).get("/dashboard").must(400);
}

#[test]
fn a_known_address_is_not_taken_over_and_the_operator_joins_them() {
    let shop = Shop::open_with(&PROXY);
    shop.api.call("PUT", "/v1/users/alice", &json!({"email": "alice@example.org"})).must(201);
    let verified = "INSERT INTO addresses (canonical, account, written, verified_at)
        VALUES ('alice@example.org', 1, 'alice@example.org', 0)";
    shop.hand().run(verified);
    let alice = behind(&shop, "Alice@example.org");
    alice.get("/dashboard").must(403);
    shop.till_prints(&["user", "tie", "alice", "Alice@example.org"]);
    shop.till_prints(&["user", "tie", "alice", "Alice@example.org"]);
    assert_eq!(id_of(&alice), "alice");
    shop.user("bob");
    assert_eq!(shop.till(&["user", "tie", "bob", "Alice@example.org"]).status.code(), Some(1));
    let closed = Shop::open_with(&[&PROXY[..], &[("SPRITE_SIGNUP", "closed")]].concat());
    behind(&closed, "ada").get("/dashboard").must(403);
    closed.user("alice");
    closed.till_prints(&["user", "tie", "alice", "ada"]);
    assert_eq!(id_of(&behind(&closed, "ada")), "alice");
}

#[test]
fn serve_does_not_start_where_every_process_could_name_anybody() {
    let shop = Shop::open();
    let start = |more: &[(&str, &str)]| {
        let mut variables = shop.variables().clone();
        variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        process::run(&variables, &["serve"])
    };
    for more in [&PROXY[..1], &PROXY[1..], &[PROXY[0], ("SPRITE_PROXY_AUTH_SECRET", "short")]] {
        let output = start(more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("SPRITE_PROXY_AUTH"), "{more:?}: {said}");
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn who_signs_out_behind_the_proxy_stays_out_until_they_go_on() {
    let shop = Shop::open_with(&PROXY);
    let ada = behind(&shop, "ada@example.org");
    let page = ada.get("/account").must(200);
    let gone = ada.press(&page, "/logout").must(303);
    let farewell = ada.get(gone.header("location")).must(200);
    assert!(farewell.body.contains("still says who you are"), "{}", farewell.body);
    assert_eq!(shop.hand().number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL"), 0);
    ada.get("/dashboard").must(200);
    assert_eq!(shop.hand().number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL"), 1);
}

#[test]
fn who_may_not_come_in_sees_what_everybody_sees() {
    for signup in ["closed", "invite"] {
        let shop = Shop::open_with(&[&PROXY[..], &[("SPRITE_SIGNUP", signup)]].concat());
        let ada = behind(&shop, "ada@example.org");
        for page in ["/", "/login", "/docs"] {
            ada.get(page).must(200);
        }
        for page in ["/dashboard", "/account", "/v1/me"] {
            ada.get(page).must(403);
        }
    }
}
