//! Pages are in the reader's language: by the browser, by the switch at the foot of each page, or by the account.

use serde_json::{Value, json};

use crate::harness::shop::CATALOG;
use crate::harness::{Answer, Client, Shop};

/// The text of a page.
fn text(page: &Answer) -> String {
    let parts = page.body.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn german(shop: &Shop) -> Client {
    let origin = shop.till.url.as_str();
    let headers = [
        ("accept", "text/html,*/*;q=0.8"),
        ("accept-language", "de-AT,de;q=0.9,en;q=0.5"),
        ("origin", origin),
        ("sec-fetch-site", "same-origin"),
    ];
    Client::new(origin, &headers)
}

#[test]
fn pages_are_in_the_language_that_the_browser_asks_for() {
    let catalog = CATALOG
        .replacen("singular = { en = \"picture\", de = \"Bild\" }", "singular = { en = \"song\", de = \"Lied\" }", 1)
        .replacen(
            "plural = { en = \"pictures\", de = \"Bilder\" }",
            "plural.en = \"songs\"\nplural.de = \"Lieder\"",
            1,
        );
    let catalog = catalog.replacen("name = \"Pro\"", "name.en = \"Large\"\nname.de = \"Groß\"", 1);
    let shop = Shop::open_with_catalog(&catalog);
    shop.user("alice");
    shop.give("alice", 1234);
    let browser = german(&shop);
    for (path, status, words) in [
        ("/", 200, "Lieder, im Voraus bezahlt"),
        ("/", 200, "100 Lieder 9\u{a0}$"),
        ("/", 200, "0,09\u{a0}$ pro Lied"),
        ("/", 200, "Groß 29\u{a0}$ im Monat"),
        ("/", 200, "Zum Kaufen anmelden"),
        ("/login", 200, "Anmelden"),
        ("/nothing", 404, "Unter dieser Adresse gibt es nichts."),
    ] {
        let page = browser.get(path).must(status);
        assert!(text(&page).contains(words), "{path}: {words}: {}", text(&page));
        assert!(page.body.contains("<html lang=\"de\">"), "{}", page.body);
        assert!(page.header("vary").contains("accept-language"), "{path}: {}", page.header("vary"));
    }
    browser.follow(&shop.login_link("alice")).must(303);
    let page = browser.get("/dashboard").must(200);
    for words in ["1.234", "Lieder übrig", "Brauchen Sie mehr Lieder?", "Geschenk des Betreibers: 1.234 Lieder"] {
        assert!(text(&page).contains(words), "{words}: {}", text(&page));
    }
    // Programs, and readers of other languages, read English and the catalogue's general words.
    let catalog = shop.api.get("/v1/catalog").must(200).json();
    assert_eq!((&catalog["unit"]["plural"], &catalog["plans"][2]["name"]), (&json!("songs"), &json!("Large")));
    let french = Client::new(&shop.till.url, &[("accept", "text/html"), ("accept-language", "fr")]);
    let page = french.get("/").must(200);
    assert!(text(&page).contains("Songs, paid in advance") && page.body.contains("<html lang=\"en\">"));
}

#[test]
fn the_switch_at_the_foot_is_kept_by_the_browser_and_by_the_account() {
    let shop = Shop::open();
    shop.user("alice");
    let visitor = shop.visitor();
    let switch = |browser: &Client, page: &Answer, language: &str, back: &str| {
        let mut fields = page.form("/language");
        fields.push(("language".to_owned(), language.to_owned()));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let referrer = format!("{}{back}", shop.till.url);
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("referer", referrer.as_str())];
        browser.send("POST", "/language", &headers, body.as_bytes())
    };
    let page = visitor.get("/").must(200);
    assert_eq!(switch(&visitor, &page, "de", "/login").must(303).header("location"), "/login");
    assert_eq!(switch(&visitor, &page, "de", "//evil.example/").must(303).header("location"), "/");
    assert!(text(&visitor.get("/").must(200)).contains("im Voraus bezahlt"));
    switch(&visitor, &page, "tlh", "/").must(400);
    let foreign = [("origin", "https://evil.example"), ("content-type", "application/x-www-form-urlencoded")];
    let other_site = Client::new(&shop.till.url, &[("accept", "text/html")]);
    other_site.send("POST", "/language", &foreign, b"language=de").must(403);

    // The account's choice goes with the user to the next browser, and is in the audit once.
    let browser = shop.sign_in("alice");
    let page = browser.get("/dashboard").must(200);
    browser.post_form("/language", &[("language", "de")]).must(403);
    for _ in 0..2 {
        assert_eq!(switch(&browser, &page, "de", "/dashboard").must(303).header("location"), "/dashboard");
    }
    assert!(text(&shop.sign_in("alice").get("/dashboard").must(200)).contains("Brauchen Sie mehr Bilder?"));
    let listed: Value = serde_json::from_str(&shop.till_prints(&["audit", "list", "--json"])).unwrap();
    let rows = listed["data"].as_array().unwrap();
    let chosen: Vec<&Value> = rows.iter().filter(|row| row["action"] == "locale_set").collect();
    assert!(chosen.len() == 1 && chosen[0]["actor"] == "user:alice" && chosen[0]["detail"] == "de", "{chosen:?}");
}
