//! No page scrolls sideways, whatever stands on it: long words, long numbers, long prices, on small screens and with large
//! text (WCAG 2.2, success criteria 1.4.4 and 1.4.10).

use serde_json::json;

use crate::harness::shop::GOOD_CARD;
use crate::harness::{Chromium, Shop};

/// Long names, a currency without a symbol, prices with eight digits.
const CATALOG: &str = r#"
currency = "pln"
[unit]
singular = "Donaudampfschifffahrtsgesellschaftbild"
plural = "Donaudampfschifffahrtsgesellschaftbilder"
[shop]
name = "Aktiengesellschaftsgründungsversammlungsprotokolle"
app_url = "https://a-very-long-name-without-any-space-in-it.example.com"
[[plan]]
key = "free"
amount = 0
units = 0
[[plan]]
key = "starter"
name = "Rechtsschutzversicherungsgesellschaften"
amount = 99999999
units = 1000000000
expiry = "period_end"
features = ["a_feature_with_a_long_name_of_40_letters"]
[[plan]]
key = "pro"
amount = 12345678
units = 500
[[pack]]
key = "topup_100"
name = "Kraftfahrzeughaftpflichtversicherungsdoppelkarte"
amount = 99999999
units = 1000000000
expiry = 365
[[pack]]
key = "topup_250"
amount = 12345678
units = 250
"#;

/// A page is not wider than its window.
fn check(chromium: &Chromium, shop: &Shop, path: &str) {
    chromium.open(&format!("{}{path}", shop.till.url));
    for width in [320, 360, 1280] {
        chromium.resize(width);
        for text in ["100%", "200%"] {
            chromium.ask(&format!("document.documentElement.style.fontSize = '{text}'"));
            let found = chromium.ask(
                "(() => { const page = document.documentElement; if (page.scrollWidth <= page.clientWidth) return '';
                return [...document.body.querySelectorAll('*')].filter((part) =>
                    part.getBoundingClientRect().right > page.clientWidth && !part.closest('pre, .unseen'))
                    .map((part) => `${part.tagName}.${part.className} to ${part.getBoundingClientRect().right}`)
                    .join(', ') || `${page.scrollWidth} of ${page.clientWidth}`; })()",
            );
            assert_eq!(found, "", "{path} at {width} px with text of {text}");
        }
    }
}

#[test]
fn no_page_scrolls_sideways() {
    let Some(chromium) = Chromium::start() else { return };
    let shop = Shop::open_with_catalog(CATALOG);
    let user = format!("u{}", "1234567890".repeat(12));
    let name = "Wolfeschlegelsteinhausenbergerdorff".repeat(5);
    let email = format!("{}@{}.example.com", "a".repeat(60), "b".repeat(60));
    shop.api.call("PUT", &format!("/v1/users/{user}"), &json!({"name": name, "email": email})).must(201);
    let grants = format!("/v1/users/{user}/grants");
    let notes =
        ["without-a-space-1234567890-abc", &format!("https://example.com/{}", "path/".repeat(60)), &"m".repeat(400)];
    for (number, note) in notes.iter().enumerate() {
        let body = json!({"units": 999_999_999 - number, "note": note, "expires_at": "2099-12-31T00:00:00Z"});
        shop.api.call_once(&grants, &format!("k{number}"), &body).must(201);
    }
    shop.api.call_once(&format!("/v1/users/{user}/spends"), "s", &json!({"units": 12_345_678})).must(201);
    shop.api.call_once(&format!("/v1/users/{user}/holds"), "h", &json!({"units": 1_234_567})).must(201);
    let (_, checkout) = shop.checkout(&user, "topup_250");
    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303).header("location").to_owned();
    let back = back.strip_prefix(&shop.till.url).unwrap().to_owned();
    let link = shop.login_link(&user);
    let long = format!("/{}", "a".repeat(150));

    for path in ["/", "/docs", "/login", link.strip_prefix(&shop.till.url).unwrap(), &long, &back] {
        check(&chromium, &shop, path);
    }
    chromium.resize(1280);
    chromium.sign_in(&shop.login_link(&user), &name);
    chromium.wait_for("#remaining");
    let private = ["/dashboard", "/dashboard/activity", "/dashboard/statement", "/dashboard/balance"];
    for path in private.into_iter().chain(["/", "/docs", &back, &long]) {
        check(&chromium, &shop, path);
    }
    let problems: Vec<String> = chromium.problems().into_iter().filter(|text| !text.contains("404")).collect();
    assert_eq!(problems, [""; 0]);
}
