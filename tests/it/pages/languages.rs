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

#[test]
fn an_account_made_on_a_german_page_gets_german_letters_and_pages() {
    let mail = [("SPRITE_SMTP_URL", "smtp://127.0.0.1:1"), ("SPRITE_MAIL_FROM", "Pictures <billing@example.org>")];
    let shop = Shop::open_with(&mail);
    let browser = german(&shop);
    let signed_out = browser.get("/login").must(200);
    assert!(text(&signed_out).contains("Anmeldelink zusenden") && text(&signed_out).contains("Noch kein Konto?"));
    assert!(text(&browser.get("/reset").must(200)).contains("Neues Passwort wählen"));
    let page = browser.get("/signup").must(200);
    assert!(text(&page).contains("Konto anlegen"), "{}", text(&page));
    let asked = browser.fill(&page, "/signup", &[("address", "ada@example.org"), ("password", "")]).must(200);
    assert!(text(&asked).contains("Sehen Sie in Ihr Postfach"), "{}", text(&asked));
    let letters = || shop.hand().rows("SELECT kind, locale, fields FROM mails ORDER BY number");
    let fields: Value = serde_json::from_str(&letters()[0][2]).unwrap();
    let page = browser.get(fields["url"].as_str().unwrap()).must(200);
    assert!(text(&page).contains("Das Konto anlegen?"), "{}", text(&page));
    browser.press(&page, "/confirm").must(303);
    let languages: Vec<String> = letters().iter().map(|letter| letter[..2].join(" in ")).collect();
    assert_eq!(languages, ["sign_in in de", "welcome in de"]);
    // The account's language goes with it to a browser that asks for English.
    browser.get("/account").must(200);
    let english = Client::new(&shop.till.url, &[("accept", "text/html"), ("cookie", &browser.cookies())]);
    let account = english.get("/account").must(200);
    for words in
        ["Ihr Konto", "Wo Sie angemeldet sind", "Dieser Browser", "E-Mails bei niedrigem Guthaben", "Konto löschen"]
    {
        assert!(text(&account).contains(words), "{words}: {}", text(&account));
    }
    assert!(account.body.contains("<html lang=\"de\">"));
}
