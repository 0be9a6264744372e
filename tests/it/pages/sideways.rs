//! No page scrolls sideways, whatever stands on it: long words, long numbers, long prices, on small screens, with large
//! text (WCAG 2.2, success criteria 1.4.4 and 1.4.10), and read from either side.

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

/// What sticks out of the page, with each size of the text and read from each side. One question, because each takes the
/// driver a tenth of a second.
const FIND: &str = "(() => {
    const page = document.documentElement;
    const found = [];
    for (const [size, side] of [['100%', 'ltr'], ['200%', 'ltr'], ['200%', 'rtl'], ['100%', 'rtl']]) {
        page.style.fontSize = size;
        page.dir = side;
        if (page.scrollWidth <= page.clientWidth) continue;
        const wide = [...document.body.querySelectorAll('*')].filter((part) => {
            const { left, right } = part.getBoundingClientRect();
            return (left < 0 || right > page.clientWidth) && !part.closest('pre, .unseen');
        });
        const names = wide.map((part) => `${part.tagName}.${part.className}`).join(', ');
        found.push(`${size}, ${side}: ${page.scrollWidth} of ${page.clientWidth}: ${names}`);
    }
    return found.join('; ');
})()";

/// A page is not wider than its window.
fn check(chromium: &Chromium, shop: &Shop, path: &str) {
    chromium.open(&format!("{}{path}", shop.till.url));
    chromium.wait_until_loaded();
    for width in [320, 360, 1280] {
        chromium.resize(width);
        assert_eq!(chromium.ask(FIND), "", "{path} at {width} px");
    }
}

/// Where the element begins, from the left.
fn left_of(chromium: &Chromium, selector: &str) -> f64 {
    chromium.ask(&format!("document.querySelector('{selector}').getBoundingClientRect().left")).as_f64().unwrap()
}

#[test]
fn a_page_is_mirrored_and_its_header_takes_two_lines_on_a_phone() {
    let Some(chromium) = Chromium::start() else { return };
    let shop = Shop::open();
    let who = json!({"name": "Ada Lovelace", "email": "ada@example.org"});
    shop.api.call("PUT", "/v1/users/ada", &who).must(201);
    shop.give("ada", 40);
    chromium.sign_in(&shop.login_link("ada"), "Ada Lovelace");
    chromium.wait_for("#remaining");
    let ask_height = "Math.round(document.querySelector('.top').getBoundingClientRect().height)";
    for language in ["", "de"] {
        if !language.is_empty() {
            chromium.click(&format!("button[value=\"{language}\"]"));
            chromium.wait_for(&format!("html[lang=\"{language}\"]"));
        }
        chromium.wait_until_loaded();
        chromium.resize(390);
        let height = chromium.ask(ask_height).as_u64().unwrap();
        assert!(height <= 2 * 44 + 20, "{height} px, {language}");
        chromium.resize(1280);
        assert!(chromium.ask(ask_height).as_u64().unwrap() <= 65, "one line on a desktop");
    }
    // What stands first is at the left, and at the right where one reads from there.
    for (first, second) in
        [(".brand", ".person form"), (".pack .label > span", ".pack .price"), ("#label", "#remaining")]
    {
        let is_before = left_of(&chromium, first) < left_of(&chromium, second);
        chromium.ask("document.documentElement.dir = 'rtl'");
        assert_ne!(left_of(&chromium, first) < left_of(&chromium, second), is_before, "{first} and {second}");
        chromium.ask("document.documentElement.dir = 'ltr'");
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
    // The link that leads past the header covers nothing before it has the focus, in however many lines it is.
    chromium.resize(320);
    chromium.ask("document.documentElement.style.fontSize = '200%'");
    let ends = |focus: &str| {
        let ends = format!(
            "(() => {{ const skip = document.querySelector('.skip'); skip.{focus}();
            const {{ top, bottom }} = skip.getBoundingClientRect(); return [top, bottom] }})()"
        );
        let ends = chromium.ask(&ends);
        [ends[0].as_f64().unwrap(), ends[1].as_f64().unwrap()]
    };
    assert!(ends("blur")[1] <= 0.0 && ends("focus")[0] > 0.0, "{:?} {:?}", ends("blur"), ends("focus"));
    let problems: Vec<String> = chromium.problems().into_iter().filter(|text| !text.contains("404")).collect();
    assert_eq!(problems, [""; 0]);
}
