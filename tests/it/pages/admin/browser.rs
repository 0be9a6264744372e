//! The operator's pages in a real browser: axe-core finds nothing on them, none scrolls sideways, and a stranger's payment is
//! brought to its owner.

use serde_json::json;

use super::{PAGES, audit, operator_of, unmatched_payment};
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Axe, Chromium, Client, Shop};

#[test]
fn an_operator_brings_a_lost_payment_to_its_owner_and_gives_units_with_a_reason() {
    let Some(chromium) = Chromium::start() else { return };
    let shop = Shop::open();
    operator_of(&shop);
    shop.api.call("PUT", "/v1/users/alice", &json!({"name": "Alice", "email": "alice@example.org"})).must(201);
    unmatched_payment(&shop, "cs_test_lost");
    chromium.sign_in(&shop.login_link("olga"), "olga");
    chromium.wait_for("#remaining");
    chromium.open(&format!("{}/account", shop.till.url));
    chromium.click("a[href=\"/admin\"]");
    chromium.wait_for_words("1 payment is not matched");
    chromium.click("a[href=\"/admin/events?status=unmatched\"]");
    chromium.click("td a[href^=\"/admin/events/evt_\"]");
    chromium.wait_for("form[action$=\"/assign\"]");
    chromium.fill("form[action$=\"/assign\"] [name=\"user\"]", "alice");
    chromium.fill("form[action$=\"/assign\"] [name=\"reason\"]", "her letter");
    chromium.click("form[action$=\"/assign\"] button");
    chromium.wait_for_words("It is applied now");
    chromium.click("nav a[href=\"/admin/users\"]");
    chromium.wait_for("input[name=\"q\"]");
    chromium.fill("input[name=\"q\"]", "Ali");
    chromium.click("form[action=\"/admin/users\"] button");
    chromium.click("a[href=\"/admin/users/alice\"]");
    chromium.wait_for_words("Top-up: 100 pictures");
    chromium.fill("form[action$=\"/grant\"] [name=\"units\"]", "7");
    chromium.fill("form[action$=\"/grant\"] [name=\"reason\"]", "sorry for the wait");
    chromium.click("form[action$=\"/grant\"] button");
    chromium.wait_for_words("Done. The audit has it.");
    assert_eq!(shop.remaining("alice"), 107);
    chromium.click("nav a[href=\"/admin/audit\"]");
    chromium.wait_for_words("sorry for the wait");
    assert_eq!(audit(&shop, "event_assigned")[0]["reason"], "her letter");

    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 207);
    chromium.click("nav a[href=\"/admin/payments\"]");
    chromium.click("td a[href^=\"/admin/payments/pi_\"]");
    chromium.wait_for_words("Nothing of it was returned or disputed.");
    let reference = chromium.ask("document.querySelector('h1').textContent");
    let refund = [("payment_intent", reference.as_str().unwrap())];
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let refund = stripe.post_form("/v1/refunds", &refund).must(200).json();
    shop.wait_for_units("alice", 107);
    chromium.open(&format!("{}/admin/payments/{}", shop.till.url, reference.as_str().unwrap()));
    chromium.wait_for_words(refund["id"].as_str().unwrap());
    chromium.click("dd a[href=\"/admin/users/alice\"]");
    chromium.wait_for_words("Refund: 100 pictures");
    assert_eq!(chromium.problems(), Vec::<String>::new());
}

#[test]
fn the_operators_pages_are_accessible_and_none_scrolls_sideways() {
    let Some(chromium) = Chromium::start() else { return };
    let Some(axe) = Axe::begin(&chromium) else { return };
    let shop = Shop::open();
    operator_of(&shop);
    let long = "Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenauszahlungsstelle";
    shop.api.call("PUT", "/v1/users/alice", &json!({"name": long, "email": "alice@example.org"})).must(201);
    let event = unmatched_payment(&shop, "cs_test_lost");
    shop.give("alice", 40);
    shop.api.call_once("/v1/users/alice/holds", "h", &json!({"units": 5, "note": long})).must(201);
    chromium.sign_in(&shop.login_link("olga"), "olga");
    chromium.wait_for("#remaining");
    let event = format!("/admin/events/{event}");
    for path in PAGES.into_iter().chain([event.as_str()]) {
        chromium.open(&format!("{}{path}", shop.till.url));
        axe.find_nothing(&chromium, path);
        for (width, size) in [(320, "100%"), (360, "200%"), (1280, "100%")] {
            chromium.resize(width);
            let wide = format!(
                "(() => {{ const page = document.documentElement; page.style.fontSize = '{size}';
                return page.scrollWidth <= page.clientWidth ? '' : [...document.body.querySelectorAll('*')]
                    .filter((part) => part.getBoundingClientRect().right > page.clientWidth && !part.closest('pre, .unseen'))
                    .map((part) => `${{part.tagName}}.${{part.className}}`).join(', ') }})()"
            );
            assert_eq!(chromium.ask(&wide), "", "{path} at {width} px, {size}");
        }
    }
}
