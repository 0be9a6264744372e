//! A purchase from button to ledger, through what can happen to the webhooks that tell of it. Each row ends in the same
//! books: what was paid is credited once, what was not is not.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::shop::{BAD_CARD, GOOD_CARD};
use crate::harness::{Client, Shop, eventually};

/// Somebody on the way through a purchase.
struct Buyer<'a> {
    shop: &'a Shop,
    browser: Client,
    checkout: String,
    /// Where Stripe sends them back to.
    back: String,
    /// Deliveries of webhooks that were there before.
    older: usize,
}

impl<'a> Buyer<'a> {
    /// Signed in, and on Stripe's page.
    fn at_checkout(shop: &'a Shop, user: &str, pack: &str) -> Buyer<'a> {
        shop.user(user);
        let browser = shop.sign_in(user);
        let checkout = shop.press_buy(&browser, pack);
        Buyer { shop, browser, checkout, back: String::new(), older: shop.deliveries().len() }
    }

    fn session(&self) -> &str {
        self.checkout.rsplit('/').next().unwrap()
    }

    /// Does what one word of a row says.
    fn go(&mut self, step: &str) {
        let shop = self.shop;
        match step {
            "declined" => drop(shop.pay(&self.checkout, &[("card", BAD_CARD)]).must(402)),
            "pay" => self.come_back(&[("card", GOOD_CARD)]),
            "debit" => self.come_back(&[("method", "bank_debit")]),
            "free" => self.come_back(&[("promotion_code", "FREE100")]),
            "settle" | "fail" | "expire" => {
                shop.stripe_control(&format!("sessions/{}/{step}", self.session()), &[]);
            }
            "hold" => shop.stripe_control("webhooks/hold", &[]),
            "release" => shop.stripe_control("webhooks/release", &[("order", "made")]),
            "reverse" => shop.stripe_control("webhooks/release", &[("order", "reverse")]),
            "lose" => shop.stripe_control("webhooks/drop", &[("times", "1000")]),
            "find" => shop.stripe_control("webhooks/drop", &[("times", "0")]),
            "again" => self.send_all_again(),
            page => {
                let answer = self.browser.get(&self.back).must(200);
                assert!(answer.body.contains(page), "{page:?} is not in {}", answer.body);
            }
        }
    }

    fn come_back(&mut self, fields: &[(&str, &str)]) {
        self.back = self.shop.pay(&self.checkout, fields).must(303).header("location").to_owned();
        assert!(self.back.contains(&format!("session_id={}", self.session())), "{}", self.back);
    }

    fn send_all_again(&self) {
        let deliveries = self.shop.deliveries();
        // The newest are first. An event that was sent several times already is one event.
        let newer = &deliveries[..deliveries.len() - self.older];
        let events: BTreeSet<&str> = newer.iter().map(|delivery| delivery["event"].as_str().unwrap()).collect();
        for event in events {
            self.shop.stripe_control(&format!("events/{event}/resend"), &[("times", "3")]);
        }
    }
}

/// Waits until Stripe has nothing more to send.
fn quiet(shop: &Shop) {
    eventually("the end of all deliveries", || {
        let is_open = |progress: &str| progress == "waiting" || progress == "sending";
        let deliveries = shop.deliveries();
        (!deliveries.iter().any(|delivery| is_open(delivery["progress"].as_str().unwrap()))).then_some(())
    });
}

#[test]
fn what_was_paid_is_credited_once_whatever_becomes_of_the_webhooks() {
    let shop = Shop::open_taking_codes();
    let rows: &[(&[&str], i64)] = &[
        (&["pay", "100 pictures added"], 100),
        (&["declined", "pay", "100 pictures added", "100 pictures added"], 100),
        (&["pay", "again", "again"], 100),
        (&["lose", "pay", "100 pictures added", "find"], 100),
        (&["hold", "pay", "100 pictures added", "release"], 100),
        (&["hold", "pay", "reverse", "100 pictures added"], 100),
        (&["lose", "pay", "find", "again"], 100),
        (&["free", "100 pictures added"], 100),
        (&["debit", "Payment pending"], 0),
        (&["debit", "Payment pending", "settle", "again"], 100),
        (&["hold", "debit", "settle", "reverse", "100 pictures added"], 100),
        (&["lose", "debit", "settle", "100 pictures added", "find"], 100),
        (&["debit", "fail", "again"], 0),
        (&["declined", "expire", "again"], 0),
    ];
    for (number, (steps, units)) in rows.iter().enumerate() {
        let user = format!("buyer_{number}");
        let mut buyer = Buyer::at_checkout(&shop, &user, "topup_100");
        steps.iter().for_each(|step| buyer.go(step));
        let word = format!("{steps:?}");
        eventually(&format!("{units} units after {word}"), || (shop.remaining(&user) == *units).then_some(()));
        quiet(&shop);
        let ledger = shop.ledger(&user);
        assert_eq!(ledger.len(), usize::from(*units != 0), "{word}: {ledger:?}");
        assert!(
            ledger.iter().all(|(reason, delta, balance)| {
                reason.starts_with("topup_") && (*delta, *balance) == (*units, *units)
            }),
            "{word}: {ledger:?}"
        );
    }
    assert!(shop.till_prints(&["ledger", "verify"]).len() > 1);
}

#[test]
fn a_power_cut_between_payment_and_webhook_costs_nobody_anything() {
    let shop = Shop::open();
    let mut buyer = Buyer::at_checkout(&shop, "alice", "topup_250");
    ["hold", "pay"].iter().for_each(|step| buyer.go(step));
    let (back, cookie) = (buyer.back, buyer.browser);
    let shop = shop.crash_and_restart();
    assert_eq!(shop.remaining("alice"), 0);

    shop.stripe_control("webhooks/release", &[]);
    shop.wait_for_units("alice", 250);
    let shop = shop.crash_and_restart();

    assert!(cookie.get(&back).must(200).body.contains("250 pictures added"));
    assert_eq!((shop.remaining("alice"), shop.ledger("alice").len()), (250, 1));
    let processed = |line: &serde_json::Value| line["event"] == "topup_processed";
    assert!(shop.till.log().lines().filter_map(|line| serde_json::from_str(line).ok()).all(|line| !processed(&line)));
}

#[test]
fn stripe_may_fail_and_the_button_still_works() {
    let shop = Shop::open();
    shop.user("alice");
    let ask = || shop.api.call("POST", "/v1/users/alice/checkout", &json!({"plan": "topup_100"}));
    // Stripe keeps a 500 under the call's idempotency key, so only pressing again, with a new key, helps against it.
    for (kind, first) in [("close", 200), ("status:429", 200), ("status:500", 502), ("after:500", 502)] {
        let fault = [("path", "/v1/checkout/sessions"), ("method", "POST"), ("kind", kind), ("times", "1")];
        shop.stripe_control("faults", &fault);
        let answer = ask();
        assert_eq!(answer.status, first, "{kind}: {}", answer.body);
        ask().must(200);
    }
    let refused = [("path", "/v1/checkout/sessions"), ("method", "POST"), ("kind", "status:400"), ("times", "1")];
    shop.stripe_control("faults", &refused);
    assert_eq!(ask().must(502).code(), "stripe_rejected");
    ask().must(200);
}

#[test]
fn a_purchase_is_its_buyers_alone() {
    let shop = Shop::open();
    let mut buyer = Buyer::at_checkout(&shop, "alice", "topup_100");
    ["lose", "pay"].iter().for_each(|step| buyer.go(step));
    shop.user("mallory");
    let mallory = shop.sign_in("mallory");

    mallory.get(&buyer.back).must(404);
    assert_eq!((shop.remaining("mallory"), shop.remaining("alice")), (0, 0));
    // Nobody is signed in there: the buyer gets the units, and the page says nothing of the account.
    let page = shop.visitor().get(&buyer.back).must(200).body;
    assert!(page.contains("on the account that bought them") && !page.contains("alice"), "{page}");
    assert_eq!((shop.remaining("mallory"), shop.remaining("alice")), (0, 100));
    buyer.go("100 pictures added");
    assert_eq!((shop.remaining("mallory"), shop.remaining("alice")), (0, 100));
}
