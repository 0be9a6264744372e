//! Buyers who ask for what costs too often: each is refused with `rate_limited`, and another buyer does not notice.

use super::bounds::ask_from;
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Answer, Client, Shop};

const BUY: &str = "/billing/checkout?plan=topup_100";

/// The numbers of the answers that had each status; every refusal says when to try again.
fn statuses(answers: &[Answer], granted: u16) -> (usize, usize) {
    for answer in answers.iter().filter(|answer| answer.status != granted) {
        assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"), "{}", answer.body);
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
    let granted = answers.iter().filter(|answer| answer.status == granted).count();
    (granted, answers.len() - granted)
}

/// A script of our own pages, with this browser's session.
fn script(shop: &Shop, browser: &Client) -> Client {
    let headers = [("accept", "application/json"), ("origin", shop.till.url.as_str()), ("cookie", &browser.cookies())];
    Client::new(&shop.till.url, &headers)
}

#[test]
fn presses_are_bounded_for_each_buyer() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    let (alice, bob) = (shop.sign_in("alice"), shop.sign_in("bob"));
    let presser = script(&shop, &alice);
    let answers: Vec<_> = (0..100).map(|_| presser.post_form(BUY, &[])).collect();
    let (granted, refused) = statuses(&answers, 200);
    assert!((40..=60).contains(&granted) && refused >= 40, "{granted} and {refused}");
    assert_eq!(shop.ask_stripe("GET", "/v1/checkout/sessions?limit=100")["data"].as_array().unwrap().len(), granted);
    // The same bucket for the portal, and for the app that asks in the buyer's name.
    presser.post_form("/billing/portal", &[]).must(429);
    let body = serde_json::json!({"plan": "topup_100"});
    assert_eq!(shop.api.call("POST", "/v1/users/alice/checkout", &body).must(429).code(), "rate_limited");
    // To people it is a page.
    let dashboard = alice.get("/dashboard").must(200);
    let page = alice.press(&dashboard, BUY).must(429);
    assert!(page.body.contains("Too many requests") && !page.header("retry-after").is_empty(), "{}", page.body);
    shop.press_buy(&bob, "topup_100");
}

#[test]
fn made_up_return_pages_are_not_asked_about_for_ever() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    let (alice, bob) = (shop.sign_in("alice"), shop.sign_in("bob"));
    let asker = script(&shop, &alice);
    let made_up = |number: usize| asker.get(&format!("/billing/return?session_id=cs_test_made_up_{number}"));
    let answers: Vec<_> = (0..80).map(made_up).collect();
    let (asked, refused) = statuses(&answers, 404);
    assert!((30..=60).contains(&asked) && refused >= 20, "{asked} and {refused}");
    // Another buyer's page, and the same buyer's own purchase.
    let checkout = shop.press_buy(&bob, "topup_100");
    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    assert!(bob.get(back.header("location")).must(200).body.contains("100 pictures added"));
    let checkout = shop.press_buy(&alice, "topup_100");
    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    alice.get(back.header("location")).must(200);
    shop.wait_for_units("alice", 100);
}

#[test]
fn attempts_to_sign_in_are_bounded_for_each_address() {
    let shop = Shop::open();
    let attempt = |last: u8| {
        let head = "POST /login HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 7\r\n";
        let answer = ask_from(&shop, last, &format!("{head}\r\ntoken=x"));
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let refused = (0..50).map(|_| attempt(2)).filter(|status| status == "429").count();
    assert!((1..=20).contains(&refused), "{refused} of 50");
    assert_eq!(attempt(3), "403", "another address is heard");
}
