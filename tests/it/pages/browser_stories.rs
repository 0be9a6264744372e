//! Two people in a real browser, from their first page to their last: a stranger who becomes a buyer, and a subscriber who
//! becomes a stranger again. The letters come from a real mail server.

use crate::harness::mail_server::{MailServer, PLAIN};
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Chromium, Shop, eventually};

/// Stripe's published number of a card that is taken now and fails when it is charged later.
const FAILING_CARD: &str = "4000 0000 0000 0341";
const PASSWORD: &str = "four words of no use";

#[test]
fn a_stranger_finds_the_prices_makes_an_account_buys_sees_and_prints() {
    let Some(chromium) = Chromium::start() else { return };
    let Some(mail) = MailServer::start(PLAIN, None) else { return };
    let shop = Shop::open_mailing(&mail);
    chromium.open(&shop.till.url);
    chromium.wait_for_words("Pictures, paid in advance");
    chromium.click(".invite .button");
    chromium.click("a[href=\"/signup\"]");
    chromium.wait_for_words("Make an account");
    chromium.fill("#address", "ada@example.org");
    chromium.click("form[action=\"/signup\"] button");
    chromium.wait_for_words("Check your inbox");
    chromium.open(&mail.wait_for_link("ada@example.org", "/confirm?code="));
    chromium.click("form[action=\"/confirm\"] button");
    chromium.wait_for_value("#remaining", "value", "0");
    chromium.wait_for_words("Nothing has been paid yet.");

    chromium.click("form[action=\"/billing/checkout?plan=topup_100\"] button");
    chromium.wait_for("#card");
    chromium.fill("#card", GOOD_CARD);
    chromium.click("button[value=\"pay\"]");
    chromium.wait_for_words("100 pictures added");
    for words in ["$9.00", "Visa •••• 4242", "New balance"] {
        chromium.wait_for_words(words);
    }
    chromium.click("a.button[href=\"/dashboard\"]");
    chromium.wait_for_value("#remaining", "value", "100");
    let is_receipt =
        |row: &serde_json::Value| row["text"].as_str().is_some_and(|text| text.contains("Your receipt from"));
    eventually("the receipt by mail", || mail.mails().iter().any(is_receipt).then_some(()));

    chromium.click("a[href=\"/dashboard/statement\"]");
    chromium.wait_for_words("Balance at the end");
    chromium.wait_for_words("ada@example.org");
    // On paper there is what was bought, and nothing to press.
    chromium.print();
    let shown = chromium.ask(
        "[...document.querySelectorAll('main a, main h1, nav, form, .skip, .ways, .receipts li, .entry')]
        .filter((part) => part.checkVisibility() && !part.closest('li, .entry, h1') || part.matches('li, .entry, h1')
            && part.checkVisibility()).map((part) => part.className || part.localName).join(' ')",
    );
    assert_eq!(shown, "h1 li entry");
    assert_eq!(chromium.problems(), [""; 0]);
    shop.verify_books();
}

/// From the dashboard to Stripe's portal.
fn manage(chromium: &Chromium, shop: &Shop) {
    chromium.open(&shop.dashboard());
    chromium.click(".heading form[action=\"/billing/portal\"] button");
    chromium.wait_for_words("Your subscription");
}

/// On the portal's page: another card.
fn change_card(chromium: &Chromium, card: &str, ending: &str) {
    chromium.fill("#card", card);
    chromium.click("button[value=\"card\"]");
    chromium.wait_for_words(&format!("The card ending in {ending} pays."));
}

/// Opens the dashboard until it says this.
fn wait_for_dashboard(chromium: &Chromium, shop: &Shop, words: &str) {
    eventually(words, || {
        chromium.open(&shop.dashboard());
        chromium.wait_for("footer");
        chromium.has_words(words).then_some(())
    });
}

#[test]
fn a_subscriber_signs_in_upgrades_mends_a_failed_card_cancels_and_is_erased() {
    let Some(chromium) = Chromium::start() else { return };
    let shop = Shop::open();
    shop.till_prints(&["stripe", "setup"]);
    shop.user("alice");
    shop.set_password("alice", PASSWORD);
    let (_, checkout) = shop.checkout("alice", "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);

    chromium.open(&format!("{}/login", shop.till.url));
    chromium.wait_for("#address");
    chromium.fill("#address", "alice");
    chromium.fill("#password", PASSWORD);
    chromium.click("form[action=\"/login/password\"] button");
    chromium.wait_for_value("#remaining", "value", "100");

    chromium.click(".plans-folded summary");
    chromium.click(".plans form[action=\"/billing/portal\"] button");
    chromium.wait_for_words("Another plan");
    chromium.click("button[value=\"change\"]");
    chromium.wait_for_words("<strong>Pro</strong>");
    wait_for_dashboard(&chromium, &shop, "Pro · $29 a month");
    // For the time that is left, some seconds less than the month.
    let upgraded =
        eventually("the units of the upgrade", || Some(shop.remaining("alice")).filter(|units| *units > 100));
    assert!((498..=500).contains(&upgraded), "{upgraded}");

    manage(&chromium, &shop);
    change_card(&chromium, FAILING_CARD, "0341");
    shop.stripe_control("clock/advance", &[("by", "month")]);
    wait_for_dashboard(&chromium, &shop, "Your last payment did not go through.");
    assert_eq!(shop.remaining("alice"), upgraded, "the plan is not renewed yet");
    chromium.click("#trouble button");
    change_card(&chromium, GOOD_CARD, "4242");
    chromium.click("button[value=\"pay\"]");
    shop.wait_for_units("alice", upgraded + 500);
    wait_for_dashboard(&chromium, &shop, "<dd>Active</dd>");

    manage(&chromium, &shop);
    chromium.click("button[value=\"cancel\"]");
    chromium.wait_for("button[value=\"resume\"]");
    wait_for_dashboard(&chromium, &shop, "Ends on");
    shop.stripe_control("clock/advance", &[("by", "month")]);
    wait_for_dashboard(&chromium, &shop, "Subscribe to Starter");

    chromium.click("nav a[href=\"/account\"]");
    chromium.click("#sure");
    chromium.click("form[action=\"/account/erase\"] button");
    chromium.wait_for_words("Your account is erased");
    shop.api.get("/v1/users/alice").must(404);
    assert_eq!(chromium.problems(), [""; 0]);
    shop.verify_books();
}
