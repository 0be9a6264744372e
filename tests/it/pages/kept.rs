//! The dashboard is kept in memory, and yet never shows what was before a change that somebody was told of.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use serde_json::json;

use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Shop, eventually};

fn dashboard(browser: &Client) -> String {
    browser.get("/dashboard").must(200).body
}

/// The units that a dashboard says are left.
fn left(page: &str) -> i64 {
    let number = page.split("id=\"remaining\"").nth(1).and_then(|rest| rest.split("value=\"").nth(1));
    number.and_then(|rest| rest.split('"').next()).unwrap().parse().unwrap()
}

#[test]
fn a_page_that_is_kept_shows_each_change_at_once() {
    let shop = Shop::open();
    shop.user("alice");
    let (browser, other) = (shop.sign_in("alice"), shop.sign_in("alice"));
    // Each page is opened twice, so that the one before each change was kept.
    let looks = || {
        dashboard(&browser);
        dashboard(&browser)
    };
    let shows = |what: &str| assert!(dashboard(&browser).contains(what), "{what}: {}", looks());
    let call = |path: &str, key: &str, body| shop.api.call_once(&format!("/v1/{path}"), key, &body).must(201).json();

    assert_eq!(left(&looks()), 0);
    shop.give("alice", 50);
    assert_eq!(left(&looks()), 50);
    call("users/alice/spends", "s", json!({"units": 7, "note": "a cat"}));
    assert_eq!(left(&dashboard(&browser)), 43);
    shows("a cat");
    let hold = call("users/alice/holds", "h", json!({"units": 3}));
    shows("id=\"held\"");
    let release = format!("/v1/holds/{}/release", hold["id"].as_str().unwrap());
    looks();
    shop.api.call_once(&release, "r", &json!({})).must(200);
    assert!(!looks().contains("id=\"held\""));

    // The operator, in another process.
    shop.till_prints(&["user", "grant", "alice", "-3", "--note", "counted twice"]);
    assert_eq!(left(&dashboard(&browser)), 40);
    shows("counted twice");
    shop.till_prints(&["user", "add", "alice", "--name", "Ada Lovelace"]);
    shows("Ada Lovelace");
    looks();
    shop.api.call("PUT", "/v1/users/alice", &json!({"name": "Ada King"})).must(200);
    shows("Ada King");

    looks();
    let checkout = shop.press_buy(&browser, "topup_100");
    looks();
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 140);
    assert_eq!(left(&dashboard(&browser)), 140);
    shows("$9.00 paid");
    eventually("the card", || dashboard(&browser).contains("4242").then_some(()));
    let checkout = shop.press_buy(&browser, "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 240);
    assert_eq!(left(&dashboard(&browser)), 240);
    // The subscription has an event of its own.
    let plan = || shop.api.get("/v1/users/alice").must(200).json()["plan"].take();
    eventually("the plan", || (plan() == "starter").then_some(()));
    shows("Starter · $9 a month");

    let page = looks();
    let chosen = browser.get("/dashboard").must(200);
    browser.fill(&chosen, "/language", &[("language", "de")]).must(303);
    assert!(page.contains("<html lang=\"en\">") && dashboard(&browser).contains("<html lang=\"de\">"));
    assert!(dashboard(&other).contains("<html lang=\"de\">"));

    // A session that ends, here and in another browser.
    other.sign_out();
    assert_eq!(other.get("/dashboard").must(303).header("location"), "/login");
    let third = shop.sign_in("alice");
    dashboard(&third);
    let account = browser.get("/account").must(200);
    browser.fill(&account, "/account/sessions", &[("session", "others")]).must(303);
    assert_eq!(third.get("/dashboard").must(303).header("location"), "/login");
    dashboard(&browser);
}

#[test]
fn each_visitor_gets_their_own_page_with_a_token_of_their_own() {
    let shop = Shop::open();
    for user in ["alice", "bob"] {
        shop.user(user);
    }
    let browsers = ["alice", "alice", "bob"].map(|user| (user, shop.sign_in(user)));
    let mut tokens = vec![];
    for _ in 0..2 {
        for (user, browser) in &browsers {
            let page = browser.get("/dashboard").must(200);
            assert!(page.body.contains(&format!("<span class=\"name\">{user}</span>")), "{}", page.body);
            tokens.push(page.form("/logout")[0].1.clone());
            assert_eq!(page.body.matches(tokens.last().unwrap()).count(), page.body.matches("name=\"csrf\"").count());
            // It is accepted from the browser that it was given to, and from no other.
            let other = if user == &"alice" { &browsers[2].1 } else { &browsers[0].1 };
            other.press(&page, "/logout").must(403);
        }
    }
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 6);
}

#[test]
fn with_readers_all_the_time_no_page_is_older_than_an_answer() {
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 1000);
    let (acknowledged, is_over) = (AtomicI64::new(1000), AtomicBool::new(false));
    let browsers: Vec<Client> = (0..3).map(|_| shop.sign_in("alice")).collect();
    thread::scope(|scope| {
        let read = |browser: &Client| {
            let mut before = 1000;
            while !is_over.load(Ordering::SeqCst) {
                let most = acknowledged.load(Ordering::SeqCst);
                let shown = left(&dashboard(browser));
                assert!(shown <= most, "{shown} is shown after {most} was answered");
                assert!(shown <= before, "{shown} is shown after {before}");
                before = shown;
            }
        };
        let readers: Vec<_> = browsers.iter().map(|browser| scope.spawn(move || read(browser))).collect();
        for number in 1..=200 {
            let spent = shop.api.call_once("/v1/users/alice/spends", &format!("s{number}"), &json!({"units": 1}));
            spent.must(201);
            acknowledged.store(1000 - number, Ordering::SeqCst);
        }
        is_over.store(true, Ordering::SeqCst);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(left(&dashboard(&browsers[0])), 800);
    let page = dashboard(&browsers[0]);
    assert!(page.contains("200 pictures used in the last 30 days"), "{page}");
}
