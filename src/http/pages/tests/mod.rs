//! The rules that every page keeps, and what each page says.

mod factor_samples;
mod oidc_samples;
mod samples;

use std::io::Write as _;

use askama::Template;
use flate2::{Compression, write::GzEncoder};

use super::dashboard::units::UnitsView;
use super::login::{LoginState, SignInForms};
use super::offers::PackCard;
use super::reference::ReferencePage;
use super::shell::Link;
use super::unsubscribe::UnsubscribeState;
use crate::catalog::{Catalog, MailKind};
use crate::http::description::reference::Reference;
use crate::http::{assets, endpoints};
use crate::language::Language;
use samples::HOSTILE;

/// Every page by a name, as HTML.
fn pages() -> Vec<(String, String)> {
    let catalog = Catalog::built_in();
    let mut pages = vec![
        ("dashboard".to_owned(), html(&samples::dashboard())),
        ("dashboard-fresh".to_owned(), html(&samples::fresh_dashboard())),
        ("dashboard-debt".to_owned(), html(&samples::debt_dashboard())),
        ("dashboard-full".to_owned(), html(&samples::full_dashboard())),
        ("pricing-visitor".to_owned(), html(&samples::pricing(&catalog, samples::visitor("Pricing")))),
        ("pricing-user".to_owned(), html(&samples::pricing(&catalog, samples::shell("Pricing")))),
        ("login".to_owned(), html(&samples::login(LoginState::Ask(SignInForms::default())))),
        ("login-forms".to_owned(), html(&samples::login(LoginState::Ask(factor_samples::forms())))),
        ("login-erased".to_owned(), html(&samples::login(LoginState::Erased))),
        ("account".to_owned(), html(&samples::account())),
        ("account-fresh".to_owned(), html(&samples::fresh_account())),
        ("login-confirm".to_owned(), html(&samples::login(LoginState::Confirm(samples::confirmation())))),
        ("login-spent".to_owned(), html(&samples::login(LoginState::LinkSpent))),
        ("login-sign-out".to_owned(), html(&samples::login(LoginState::SignOut(samples::confirmation().person)))),
        ("login-signed-out".to_owned(), html(&samples::login(LoginState::SignedOut(SignInForms::default())))),
        (
            "unsubscribe".to_owned(),
            html(&samples::unsubscribe(UnsubscribeState::confirm(MailKind::Welcome, Language::En, HOSTILE))),
        ),
        (
            "unsubscribe-done".to_owned(),
            html(&samples::unsubscribe(UnsubscribeState::done(MailKind::Welcome, Language::En))),
        ),
        ("unsubscribe-unknown".to_owned(), html(&samples::unsubscribe(UnsubscribeState::Unknown))),
        ("error".to_owned(), html(&samples::error())),
        ("reference".to_owned(), reference()),
    ];
    for (name, page) in samples::letters() {
        pages.push((format!("letters-{name}"), html(&page)));
    }
    for (name, page) in factor_samples::second() {
        pages.push((format!("second-{name}"), html(&page)));
    }
    pages.push(("codes".to_owned(), html(&factor_samples::codes())));
    for (name, page) in oidc_samples::oidc() {
        pages.push((format!("oidc-{name}"), html(&page)));
    }
    for (name, purchase) in samples::purchase_states() {
        pages.push((format!("returned-{name}"), html(&samples::returned(&catalog, purchase))));
    }
    pages
}

/// The reference of a till with the default configuration.
fn reference() -> String {
    let reference = Reference::of(&endpoints(), "http://127.0.0.1:8080", "till").unwrap();
    html(&ReferencePage { shell: samples::visitor("Service API"), reference: &reference })
}

fn html(page: &impl Template) -> String {
    page.render().unwrap()
}

/// The text with a space for each tag, white space collapsed.
fn text(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for letter in html.chars() {
        match letter {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                text.push(' ');
            }
            _ if !in_tag => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All opening tags of a name, with their attributes.
fn tags<'a>(html: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let is_named = move |tag: &&str| tag.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '>']));
    html.split('<').filter(is_named).map(|tag| tag.split('>').next().unwrap_or(""))
}

#[test]
fn every_page_keeps_the_rules_of_the_house() {
    for (name, page) in pages() {
        let count = |needle: &str| page.matches(needle).count();
        assert_eq!(count("<h1"), 1, "{name}: one heading of the first rank");
        assert_eq!((count("<main "), count("class=\"skip\"")), (1, 1), "{name}: landmarks");
        for forbidden in
            ["style=", "<style", "javascript:", " onclick", " onload", " onsubmit", "<iframe", "/assets/none"]
        {
            assert_eq!(count(forbidden), 0, "{name}: {forbidden}");
        }
        assert!(tags(&page, "script").all(|tag| tag.contains("src=\"/assets/till.")), "{name}: no inline script");
        assert_eq!(count("<script"), count("></script>"), "{name}: no inline script");
        for input in tags(&page, "input") {
            let id = input.split(" id=\"").nth(1).and_then(|rest| rest.split('"').next());
            let is_labelled = id.is_some_and(|id| {
                count(&format!("<label for=\"{id}\"")) + count(&format!("<label class=\"tick\" for=\"{id}\"")) == 1
            });
            assert!(input.contains("type=\"hidden\"") || is_labelled, "{name}: an input without a label: {input}");
        }
        let forms = tags(&page, "form").count();
        // A letter's link is its own guard: who has it may press the button from anywhere (RFC 8058).
        let guarded = forms - count("action=\"/unsubscribe?token=");
        assert_eq!(count("name=\"csrf\" value=\""), guarded, "{name}: each form is guarded");
        assert_eq!(count("<button"), forms, "{name}: each form has its button");
        for svg in tags(&page, "svg") {
            assert!(svg.contains("aria-hidden") || page.contains("class=\"plot\" aria-hidden"), "{name}: {svg}");
        }
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}: an id stands for one element");
        for label in ["aria-labelledby=\"", "aria-describedby=\""] {
            for id in page.split(label).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(ids.contains(&id), "{name}: {label}{id}");
            }
        }
        assert!(!page.contains(HOSTILE) && !page.contains("<script>"), "{name}: text from outside is escaped");
        // The reference is one long page, to be searched; it travels compressed.
        let limit = if name == "reference" { 80_000 } else { 40_000 };
        assert!(page.len() < limit, "{name}: {} bytes", page.len());
    }
}

#[test]
fn pages_say_what_is_so() {
    for (page, present, absent) in [
        (
            html(&samples::dashboard()),
            vec![
                "Need More Pictures?",
                "412 pictures left",
                "162 of 500 this month · 250 from packs until 3 Dec 2026 250 pictures expire on 3 Dec 2026.",
                "100 pictures $9",
                "250 pictures $20",
                "9¢ per picture",
                "8¢ per picture Better value",
                "Ada Lovelace ada@example.org",
                "Renews on 3 Dec 2026",
                "Top-up: 250 pictures",
                "Change to Starter",
                "24 Nov 2026 Used 3 pictures Spring catalogue, cover 04:23 UTC -3 412",
                "Pro Your plan",
                "Manage or cancel",
                "Plan Pro · $29 a month",
                "Next payment $29.00 on 3 Dec 2026",
                "Card Visa •••• 4242",
                "24 Nov 2026 · $5.00 refunded · Invoice A-1 $20.00",
                "Explain my balance",
                "Priority queue",
                "Bring your own key",
            ],
            vec!["set aside", "dispute took", "Subscribe to"],
        ),
        (
            html(&samples::fresh_dashboard()),
            vec![
                "0 pictures left",
                "Nothing has been added or used yet",
                "250 pictures $20 Not available at the moment",
                "No pictures used in the last 30 days.",
                "Subscribe to Starter",
            ],
            vec!["Better value", "Subscribe to Pro", "Show the numbers", "Manage or cancel", "expire"],
        ),
        (
            html(&samples::debt_dashboard()),
            vec![
                "-20: a refund or dispute took back pictures that were already used; the next top-up repays it first.",
                "Payment pending: Your bank payment is on its way; no need to pay again.",
                "Your payment for Pro did not arrive.",
                "Try again",
                "Your payment is on its way",
            ],
            vec!["Subscribe to Pro"],
        ),
        (
            html(&samples::full_dashboard()),
            vec![
                "250 pictures are set aside for work under way; 750 pictures can be used now.",
                "Payment overdue",
                "Payment due since 24 Nov 2026 · $9.00 open",
                "Your last payment did not go through. Stripe could not charge your card and will try again",
                "Update the card",
                "&#60;script&#62;alert(1)&#60;/script&#62;",
            ],
            vec!["Renews on", "period ends"],
        ),
    ] {
        check_words(&page, &present, &absent);
    }
}

#[test]
fn the_price_list_says_what_is_so() {
    let catalog = Catalog::built_in();
    let user = samples::pricing(&catalog, samples::shell("Pricing"));
    let visitor = samples::pricing(&catalog, samples::visitor("Pricing"));
    for (page, present, absent) in [
        (
            html(&visitor),
            vec!["Sign in to buy", "$29 a month", "5.8¢ per picture", "Free $0"],
            vec!["action=\"/billing", "Subscribe to"],
        ),
        (html(&user), vec!["100 pictures $9", "Subscribe to Pro", "Sign out"], vec!["Sign in"]),
    ] {
        check_words(&page, &present, &absent);
    }
}

#[test]
fn sign_in_and_error_pages_say_what_is_so() {
    for (page, present, absent) in [
        (
            html(&samples::login(LoginState::Confirm(samples::confirmation()))),
            vec![
                "Sign in as Ada Lovelace?",
                "You are signed in here as bob. That session ends when you sign in as Ada Lovelace.",
                "ada@example.org",
            ],
            vec!["within five minutes"],
        ),
        (
            html(&samples::login(LoginState::LinkSpent)),
            vec!["no longer works", "within five minutes"],
            vec!["action=\"/login"],
        ),
        (html(&samples::error()), vec!["404", "This page does not exist", "Go to your dashboard"], vec![]),
    ] {
        check_words(&page, &present, &absent);
    }
}

fn check_words(page: &str, present: &[&str], absent: &[&str]) {
    let words = text(page);
    for present in present {
        assert!(words.contains(present), "{present:?} is not in: {words}");
    }
    for absent in absent {
        assert!(!page.contains(absent) && !words.contains(absent), "{absent:?} is in: {words}");
    }
}

#[test]
fn the_return_page_promises_what_the_books_keep() {
    let catalog = Catalog::built_in();
    for ((name, purchase), (state, title, sentence)) in samples::purchase_states().into_iter().zip([
        ("credited", "100 pictures added", "You now have 112 pictures."),
        ("credited", "You are subscribed to Starter", "You now have 100 pictures."),
        ("confirming", "Confirming your payment", "No need to pay again."),
        ("pending", "Payment pending", "No need to pay again."),
        ("failed", "The payment did not go through", "Nothing was charged"),
        ("failed", "The checkout has expired", "nothing was charged"),
        ("failed", "The payment was not completed", "Nothing was charged"),
        ("confirming", "Your payment is safe", "added automatically as soon as Stripe tells us. No need to pay again."),
    ]) {
        let page = samples::returned(&catalog, purchase);
        let status = page.status();
        assert_eq!((status.state, status.title.as_str()), (state, title), "{name}");
        assert!(status.sentence.contains(sentence), "{name}: {}", status.sentence);
        let html = html(&page);
        assert_eq!(html.contains("http-equiv=\"refresh\""), state == "confirming", "{name}: refreshes while undecided");
        assert_eq!(
            html.contains("data-status=\"/billing/return?session_id=cs_test_1\""),
            state == "confirming",
            "{name}"
        );
        assert!(html.contains("Back to studio.example.com"), "{name}");
    }
}

#[test]
fn a_link_back_is_never_a_script() {
    assert_eq!(
        Link::back_to("https://a.example/x", Language::En).map(|link| link.label).as_deref(),
        Some("Back to a.example")
    );
    for bad in ["javascript:alert(1)", "data:text/html,x", "/dashboard", "", "ftp://a.example/"] {
        assert_eq!(Link::back_to(bad, Language::En), None, "{bad}");
    }
}

#[test]
fn only_the_strictly_better_pack_is_marked() {
    let marks = |packs: &[(i64, i64, bool)]| {
        let cards = PackCard::all(&samples::catalog(packs), Language::En).unwrap();
        cards.into_iter().map(|pack| pack.mark.unwrap_or("")).collect::<Vec<_>>()
    };
    assert_eq!(marks(&[(100, 900, true), (250, 2000, true)]), ["", "Better value"]);
    assert_eq!(marks(&[(100, 800, true), (250, 2000, true)]), ["", ""]);
    assert_eq!(marks(&[(100, 900, true), (250, 2000, false)]), ["", ""]);
    assert_eq!(marks(&[(100, 900, true), (200, 1800, true), (300, 2400, true)]), ["", "", "Best value"]);
}

#[test]
fn the_meter_shows_nothing_little_and_all() {
    for (remaining, held, total, free, held_length, text) in [
        (0, 0, 0, 0, 0, "0 of 0 pictures left"),
        (0, 0, 100, 0, 0, "0 of 100 pictures left"),
        (-20, 0, 100, 0, 0, "0 of 100 pictures left"),
        (1, 0, 10_000, 12, 0, "1 of 10,000 pictures left"),
        (100, 0, 100, 1000, 0, "100 of 100 pictures left"),
        (100, 25, 100, 750, 250, "100 of 100 pictures left"),
        (100, 100, 100, 0, 1000, "100 of 100 pictures left"),
        (i64::MAX, 0, i64::MAX, 1000, 0, "9,223,372,036,854,775,807 of 9,223,372,036,854,775,807 pictures left"),
    ] {
        let units = UnitsView {
            words: samples::words(),
            language: Language::En,
            remaining,
            held,
            total,
            full: total,
            lots: None,
            expiring: vec![],
        };
        assert_eq!((units.free_length(), units.held_length()), (free, held_length), "{remaining} {held} {total}");
        assert_eq!(units.meter_text(), text);
    }
}

#[test]
fn all_pages_together_are_small_over_the_wire() {
    let zipped = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().len()
    };
    let html: usize = pages().iter().map(|(_, page)| zipped(page.as_bytes())).sum();
    let files =
        ["assets/till.css", "assets/till.js", "assets/icon.svg"].map(|path| zipped(&std::fs::read(path).unwrap()));
    assert!(html + files.iter().sum::<usize>() < 100_000, "{html} and {files:?} bytes");
}

/// Writes every page into the folder that `TILL_PAGES` names, for people to look at; does nothing without it.
#[test]
fn pages_can_be_looked_at() {
    let Some(folder) = std::env::var_os("TILL_PAGES").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    for (name, page) in pages() {
        std::fs::write(folder.join(name).with_extension("html"), page).unwrap();
    }
    for name in ["till.css", "till.js", "icon.svg"] {
        let served = folder.join(assets::url(name).trim_start_matches('/'));
        std::fs::copy(std::path::Path::new("assets").join(name), served).unwrap();
    }
}
