//! axe-core finds nothing on any page that a buyer sees, in each of its states: light and dark, on a phone and a desktop.

use serde_json::json;

use crate::harness::mail_server::{MailServer, PLAIN};
use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::{Axe, Chromium, Shop};

/// A browser, the judge, and the shop whose pages it looks at.
struct Look {
    chromium: Chromium,
    axe: Axe,
    shop: Shop,
}

impl Look {
    fn begin(open: impl FnOnce() -> Option<Shop>) -> Option<Look> {
        let chromium = Chromium::start()?;
        let axe = Axe::begin(&chromium)?;
        Some(Look { chromium, axe, shop: open()? })
    }

    /// Looks at what the browser shows once it holds such an element.
    #[track_caller]
    fn at(&self, selector: &str) {
        self.chromium.wait_for(selector);
        self.axe.find_nothing(&self.chromium, selector);
    }

    /// Opens a page and looks at it.
    #[track_caller]
    fn open(&self, path: &str) {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.shop.till.url) };
        self.chromium.open(&url);
        self.axe.find_nothing(&self.chromium, path);
    }

    fn fill(&self, form: &str, fields: &[(&str, &str)]) {
        for (name, text) in fields {
            let field = format!("form[action=\"{form}\"] [name=\"{name}\"]");
            self.chromium.wait_for(&field);
            self.chromium.fill(&field, text);
        }
        self.press(form);
    }

    fn press(&self, form: &str) {
        self.chromium.click(&format!("form[action=\"{form}\"] button"));
    }
}

#[test]
fn pages_for_visitors_and_letters_are_accessible() {
    let mail = MailServer::start(PLAIN, None);
    let Some(mail) = mail else { return };
    let Some(look) = Look::begin(|| Some(Shop::open_mailing(&mail))) else { return };
    look.shop.user("alice");
    look.shop.set_password("alice", "four words of no use");
    let link = look.shop.login_link("alice");
    for path in [
        "/",
        "/docs",
        "/login",
        &link,
        "/login?token=x",
        "/login?signed-out",
        "/login?erased",
        "/signup",
        "/signup?invite=x",
    ] {
        look.open(path);
    }
    for path in ["/reset", "/confirm?code=x", "/unsubscribe?token=x", "/nothing", "/dashboard/receipts/x"] {
        look.open(path);
    }
    look.open("/login");
    look.fill("/login/password", &[("address", "alice"), ("password", "wrong")]);
    look.at("[role=\"alert\"]");
    look.open("/signup");
    look.fill("/signup", &[("address", "ada@example.org")]);
    look.chromium.wait_for_words("Check your inbox");
    look.at("h1");
    let link = mail.wait_for_link("ada@example.org", "/confirm?code=");
    look.open(&link);
    look.press("/confirm");
    look.at("#remaining");
    look.open("/account");
    look.chromium.open(&look.shop.dashboard());
    look.press("/billing/checkout?plan=topup_100");
    look.chromium.click("button[value=\"pay\"]");
    look.chromium.wait_for_words("100 pictures added");
    let refusal = mail.wait_for_link("ada@example.org", "/unsubscribe?token=");
    look.open(&refusal);
    look.chromium.click("form button");
    look.at(".status");
    look.open("/reset");
    look.fill("/reset", &[("address", "ada@example.org")]);
    let letters = mail.wait_for(4);
    look.open(&mail.wait_for_link("ada@example.org", "/confirm?code="));
    for letter in letters {
        let page = letter["html"].as_str().unwrap();
        look.chromium.show(page);
        look.axe.find_nothing_in_letter(&look.chromium, page);
    }
}

#[test]
fn pages_of_an_account_are_accessible() {
    let Some(look) = Look::begin(|| Some(Shop::open())) else { return };
    look.shop.api.call("PUT", "/v1/users/alice", &json!({"name": "Alice", "email": "alice@example.org"})).must(201);
    look.chromium.sign_in(&look.shop.login_link("alice"), "Alice");
    look.at("#remaining");
    for path in ["/dashboard/activity", "/dashboard/balance", "/dashboard/statement", "/account", "/login/second"] {
        look.open(path);
    }
    look.chromium.open(&format!("{}/account", look.shop.till.url));
    look.press("/account/second-factor");
    look.at(".qr");
    look.chromium.open(&format!("{}/account", look.shop.till.url));
    look.fill("/account/tokens", &[("name", "a program")]);
    look.at(".secret");

    let grants = json!({"units": 40, "note": "a gift", "expires_at": "2099-12-31T00:00:00Z"});
    look.shop.api.call_once("/v1/users/alice/grants", "k", &grants).must(201);
    look.shop.api.call_once("/v1/users/alice/spends", "s", &json!({"units": 12, "note": "a cover"})).must(201);
    look.shop.api.call_once("/v1/users/alice/holds", "h", &json!({"units": 5})).must(201);
    let buy = |shop: &Shop, plan: &str, more: &[(&str, &str)]| {
        let (_, checkout) = shop.checkout("alice", plan);
        shop.pay(&checkout, &[more, &[("card", GOOD_CARD)]].concat()).must(303).header("location").to_owned()
    };
    let pending = buy(&look.shop, "topup_250", &[("method", "bank_debit")]);
    look.open(&pending);
    look.open("/dashboard");
    let paid = buy(&look.shop, "starter", &[]);
    look.shop.wait_for_units("alice", 128);
    look.open(&paid);
    look.chromium.open(&look.shop.dashboard());
    look.chromium.click(".plans-folded summary");
    look.at("details[open]");
    for path in ["/", "/dashboard/activity", "/dashboard/balance", "/dashboard/statement", "/account?done=name"] {
        look.open(path);
    }
}

#[test]
fn pages_in_trouble_and_in_other_colours_are_accessible() {
    let catalog = CATALOG.replacen(
        "[shop]",
        "[shop]\nname = \"Fox Pictures\"\napp_url = \"https://app.example.com\"\nsupport = \"help@example.com\"\n\
        terms_url = \"https://example.com/terms\"\nprivacy_url = \"https://example.com/privacy\"\naccent = \"#8a2d6f\"",
        1,
    );
    let Some(look) = Look::begin(|| Some(Shop::open_with_catalog(&catalog))) else { return };
    for path in ["/", "/login", "/signup"] {
        look.open(path);
    }
    look.shop.user("alice");
    let (_, checkout) = look.shop.checkout("alice", "pro");
    look.shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    look.shop.wait_for_units("alice", 500);
    let portal = look.shop.api.call("POST", "/v1/users/alice/portal", &json!({})).must(200).json();
    look.chromium.open(portal["portal_url"].as_str().unwrap());
    look.chromium.wait_for("#card");
    look.chromium.fill("#card", "4000 0000 0000 0341");
    look.chromium.click("button[value=\"card\"]");
    look.chromium.wait_for_words("The card ending in 0341 pays.");
    look.shop.stripe_control("clock/advance", &[("by", "month")]);
    look.shop.wait_for_status("alice", "past_due");
    look.chromium.sign_in(&look.shop.login_link("alice"), "alice");
    look.at("#trouble");
    look.open("/dashboard/balance");
}
