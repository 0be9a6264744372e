//! Cards that ask for their owner, and cards that fail: nothing is credited before the bank has paid, everything once
//! after; and who is late with a plan reads what happened and where to mend it.

use super::subscriber::Subscriber;
use crate::harness::shop::{BAD_CARD, GOOD_CARD};
use crate::harness::{Chromium, Client, Shop};

/// Stripe's published number of a card whose bank asks its owner to confirm each payment.
const ASKING_CARD: &str = "4000 0000 0000 3220";
const LATE: &str = "Your last payment did not go through.";

#[test]
fn a_card_that_asks_for_its_owner_brings_units_once_after_the_confirmation() {
    for offer in ["topup_100", "starter"] {
        let shop = Shop::open();
        shop.user("alice");
        let browser = shop.sign_in("alice");
        let checkout = shop.press_buy(&browser, offer);
        let asked = shop.pay(&checkout, &[("card", ASKING_CARD)]).must(402);
        assert!(asked.body.contains("Your bank asks whether it is you"), "{}", asked.body);
        let refused = shop.pay(&checkout, &[("card", BAD_CARD)]).must(402);
        assert!(refused.body.contains("Your card was declined"), "{}", refused.body);
        // Whoever goes to the return page all the same is credited nothing.
        let session = shop.ask_stripe("GET", "/v1/checkout/sessions?limit=1")["data"][0]["id"].clone();
        let back = format!("/billing/return?session_id={}", session.as_str().unwrap());
        assert!(!browser.get(&back).body.contains("100 pictures added"), "{offer}");
        assert_eq!((shop.remaining("alice"), shop.ledger("alice").len()), (0, 0), "{offer}, before it is confirmed");

        shop.pay(&checkout, &[("card", ASKING_CARD), ("authenticated", "true")]).must(303);
        shop.wait_for_units("alice", 100);
        browser.get(&back).must(200);
        assert_eq!((shop.remaining("alice"), shop.ledger("alice").len()), (100, 1), "{offer}, once");
        shop.verify_books();
    }
}

/// Opens the portal by the button of the notice.
fn to_the_portal(shop: &Shop, browser: &Client) -> String {
    let dashboard = browser.get("/dashboard").must(200);
    for words in [LATE, "will try again", "You keep your plan meanwhile", "Update the card", "Payment overdue"] {
        assert!(dashboard.body.contains(words), "{words}: {}", dashboard.body);
    }
    let portal = browser.press(&dashboard, "/billing/portal").must(303).header("location").to_owned();
    assert!(portal.starts_with(&shop.stripe.url()), "{portal}");
    portal
}

#[test]
fn a_card_that_fails_at_the_renewal_keeps_the_plan_says_so_and_brings_the_units_once_when_it_is_mended() {
    for card in ["4000 0000 0000 0341", ASKING_CARD] {
        let alice = Subscriber::begin();
        let (shop, stripe) = (&alice.shop, Client::browser(&alice.shop.stripe.url()));
        let browser = shop.sign_in("alice");
        let before = shop.api.get("/v1/users/alice").must(200).json();
        assert!(!browser.get("/dashboard").must(200).body.contains(LATE));
        let named = if card == ASKING_CARD { "pm_card_threeDSecure2Required" } else { "pm_card_chargeCustomerFail" };
        alice.change(&format!("default_payment_method={named}"));
        alice.advance("month", "1");
        alice.shows("starter", "past_due");
        assert_eq!(shop.api.get("/v1/users/alice").must(200).json()["features"], before["features"]);
        assert_eq!(alice.remaining(), 100, "{card}");

        let portal = to_the_portal(shop, &browser);
        stripe.post_form(&portal, &[("action", "card"), ("card", GOOD_CARD)]).must(303);
        let invoice = alice.open_invoice();
        stripe.post_form(&portal, &[("action", "pay"), ("invoice", &invoice)]).must(303);
        alice.shows("starter", "active");
        assert_eq!(alice.remaining(), 200, "{card}");
        assert!(!browser.get("/dashboard").must(200).body.contains(LATE));
        // The retries that were planned find it paid.
        alice.advance("day", "16");
        assert_eq!((alice.remaining(), shop.ledger("alice").len()), (200, 2), "{card}");
        shop.verify_books();
    }
}

#[test]
fn when_the_retries_are_over_the_dashboard_says_that_the_plan_is_off() {
    let alice = Subscriber::begin();
    alice.shop.stripe_control("retries/unpaid", &[]);
    alice.card_fails();
    alice.advance("month", "1");
    alice.advance("day", "16");
    alice.shows("free", "unpaid");
    let dashboard = alice.shop.sign_in("alice").get("/dashboard").must(200).body;
    for words in
        ["Your subscription is not paid.", "Your plan is off until the open invoice is paid", "Pay the open invoice"]
    {
        assert!(dashboard.contains(words), "{words}: {dashboard}");
    }
    alice.post(&format!("/v1/invoices/{}/pay", alice.open_invoice()), "payment_method=pm_card_visa");
    alice.shows("starter", "active");
    assert_eq!(alice.remaining(), 200);
}

#[test]
fn in_a_browser_the_notice_leads_to_the_portal_where_the_card_is_mended() {
    let Some(chromium) = Chromium::start() else { return };
    let alice = Subscriber::begin();
    alice.card_fails();
    alice.advance("month", "1");
    alice.shows("starter", "past_due");
    chromium.sign_in(&alice.shop.login_link("alice"), "alice");
    chromium.wait_for_words(LATE);
    chromium.click("#trouble button");
    chromium.wait_for("#card");
    chromium.fill("#card", GOOD_CARD);
    chromium.click("button[name=\"action\"][value=\"card\"]");
    chromium.wait_for_words("The card ending in 4242 pays.");
    chromium.click("button[name=\"action\"][value=\"pay\"]");
    alice.shop.wait_for_units("alice", 200);
    alice.shows("starter", "active");
    chromium.open(&format!("{}/dashboard", alice.shop.till.url));
    chromium.wait_for_value("#remaining", "value", "200");
    let problems: Vec<String> = chromium.problems();
    assert_eq!(problems, [""; 0]);
}
