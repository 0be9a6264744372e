//! Buying in a real browser: with scripts, without them, with the keyboard alone, and after a declined card. No page may
//! have an error or break its content security policy on the way.

use crate::harness::shop::{BAD_CARD, GOOD_CARD};
use crate::harness::{Chromium, Shop};

const BUY_100: &str = "form[action=\"/billing/checkout?plan=topup_100\"] button";
const PAY: &str = "button[name=\"action\"][value=\"pay\"]";

/// From the link to the dashboard, where nothing is left.
fn arrive(chromium: &Chromium, shop: &Shop) {
    shop.user("alice");
    chromium.sign_in(&shop.login_link("alice"), "alice");
    chromium.wait_for_words("Need More Pictures?");
    chromium.wait_for_value("#remaining", "value", "0");
}

/// On the checkout page: fills it in and pays.
fn pay(chromium: &Chromium, card: &str) {
    chromium.wait_for("#card");
    chromium.fill("#card", card);
    chromium.click(PAY);
}

/// On the return page, and from there to the dashboard.
fn come_back(chromium: &Chromium, shop: &Shop) {
    chromium.wait_for_words("100 pictures added");
    chromium.open(&format!("{}/dashboard", shop.till.url));
    chromium.wait_for_value("#remaining", "value", "100");
    assert_eq!(shop.remaining("alice"), 100);
}

#[test]
fn a_pack_is_bought() {
    let Some(chromium) = Chromium::start() else { return };
    let shop = Shop::open();
    arrive(&chromium, &shop);
    chromium.click(BUY_100);
    pay(&chromium, GOOD_CARD);
    come_back(&chromium, &shop);
    chromium.click("a[href=\"/docs\"]");
    chromium.click("a[href=\"#createHold\"]");
    chromium.click("#createHold summary");
    chromium.wait_for("#createHold details[open]");
    assert_eq!(chromium.problems(), [""; 0]);
}

#[test]
fn a_pack_is_bought_without_scripts() {
    let Some(chromium) = Chromium::start() else { return };
    let shop = Shop::open();
    chromium.switch_scripts_off();
    arrive(&chromium, &shop);
    chromium.click(BUY_100);
    pay(&chromium, GOOD_CARD);
    come_back(&chromium, &shop);
    assert_eq!(chromium.problems(), [""; 0]);
}

#[test]
fn a_pack_is_bought_with_the_keyboard_alone() {
    let Some(chromium) = Chromium::start() else { return };
    let shop = Shop::open();
    arrive(&chromium, &shop);
    let reach = |selector: &str| {
        let steps = (1..=40).find(|_| {
            chromium.press("Tab");
            chromium.has_focus(selector)
        });
        assert!(steps.is_some(), "{selector} is not reached by Tab");
    };
    reach(BUY_100);
    chromium.press("Enter");
    chromium.wait_for("#card");
    reach(PAY);
    chromium.press("Enter");
    come_back(&chromium, &shop);
    assert_eq!(chromium.problems(), [""; 0]);
}

#[test]
fn a_declined_card_can_be_followed_by_another() {
    let Some(chromium) = Chromium::start() else { return };
    let shop = Shop::open();
    arrive(&chromium, &shop);
    chromium.click(BUY_100);
    pay(&chromium, BAD_CARD);
    chromium.wait_for("[role=\"alert\"]");
    assert_eq!(shop.remaining("alice"), 0);
    pay(&chromium, GOOD_CARD);
    come_back(&chromium, &shop);
    // The browser notes that the stand-in answered the declined card with 402; nothing else.
    let problems = chromium.problems();
    assert!(problems.len() == 1 && problems[0].contains("402"), "{problems:?}");
}
