//! A passkey in a real browser, whose authenticator is a virtual one: added, used to sign in and to confirm, removed.

use super::passkeys::shop_with;
use crate::harness::{Axe, Chromium};

#[test]
fn a_passkey_is_added_signs_in_and_is_removed() {
    let Some(chromium) = Chromium::start() else { return };
    let shop = shop_with("alice");
    chromium.add_authenticator();
    let axe = Axe::begin(&chromium);
    chromium.sign_in(&shop.login_link("alice"), "alice");
    chromium.wait_for("#remaining");
    chromium.open(&format!("{}/account", shop.till.url));
    chromium.fill("#passkey-name", "My laptop");
    chromium.click("form[data-passkey] button");
    chromium.wait_for_words("The passkey is added");
    chromium.wait_for_words("My laptop");
    if let Some(axe) = &axe {
        axe.find_nothing(&chromium, "the account with a passkey");
    }

    chromium.click("form[action=\"/logout\"] button");
    chromium.wait_for_words("You are signed out");
    chromium.click("form[data-passkey] button");
    chromium.wait_for("#remaining");

    chromium.open(&format!("{}/login/second?return_to=/account", shop.till.url));
    chromium.click("form[data-passkey] button");
    chromium.wait_for("#passkey-name");
    chromium.click("form[action=\"/account/passkeys/remove\"] button");
    chromium.wait_for_words("Nothing is left by which you can sign in by yourself");
    assert_eq!(chromium.problems(), [""; 0]);

    let methods = shop.till_prints(&["audit", "list"]);
    assert_eq!(methods.matches("passkey_added").count(), 1, "{methods}");
}
