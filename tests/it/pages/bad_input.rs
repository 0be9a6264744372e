//! Every form that people send, with content that is missing, oversized, repeated, made of control characters, right-to-left
//! or emoji: it is refused or taken as text, in words, and changes nothing else.

use serde_json::Value;

use crate::harness::wire;
use crate::harness::{Answer, Client, Shop};

/// A field that a person types, or that a form brings with it.
struct Field {
    action: &'static str,
    name: &'static str,
    /// The other fields, as an honest browser would send them.
    others: &'static [(&'static str, &'static str)],
}

const fn field(action: &'static str, name: &'static str, others: &'static [(&'static str, &'static str)]) -> Field {
    Field { action, name, others }
}

/// Forms without a session.
const VISITORS: &[Field] = &[
    field("/login", "token", &[]),
    field("/login/mail", "address", &[]),
    field("/login/password", "address", &[("password", "four words of no use")]),
    field("/login/passkey", "answer", &[]),
    field("/login/passkey", "return_to", &[("answer", "{}")]),
    field("/login/second", "code", &[("step", "sign_in")]),
    field("/login/second", "step", &[("code", "000000")]),
    field("/login/second", "return_to", &[("step", "sign_in"), ("code", "000000")]),
    field("/signup", "address", &[("password", "")]),
    field("/signup", "invite", &[("address", "new@example.org")]),
    field("/reset", "address", &[]),
    field("/confirm", "code", &[("password", "")]),
];

/// Forms of the account page.
const OWNERS: &[Field] = &[
    field("/account/name", "name", &[]),
    field("/account/address", "address", &[]),
    field("/account/mail", "low_balance", &[]),
    field("/account/sessions", "session", &[]),
    field("/account/identities/remove", "issuer", &[("subject", "x")]),
    field("/account/identities/remove", "subject", &[("issuer", "https://id.example")]),
    field("/account/passkeys", "name", &[("answer", "{}")]),
    field("/account/passkeys", "answer", &[("name", "a key")]),
    field("/account/passkeys/rename", "passkey", &[("name", "a key")]),
    field("/account/passkeys/rename", "name", &[("passkey", "1")]),
    field("/account/passkeys/remove", "passkey", &[]),
    field("/account/second-factor/confirm", "code", &[]),
    field("/account/second-factor/remove", "code", &[]),
    field("/account/tokens", "name", &[]),
    field("/account/tokens/revoke", "token", &[]),
    field("/account/erase", "sure", &[]),
];

const MAIL: [(&str, &str); 2] =
    [("SPRITE_SMTP_URL", "smtp://127.0.0.1:1"), ("SPRITE_MAIL_FROM", "Pictures <billing@example.org>")];

/// A shop with every form that there is.
fn shop() -> Shop {
    let shop = Shop::open_with(&MAIL);
    let named = shop.till.url.replace("127.0.0.1", "localhost");
    let shop = shop.crash_and_restart_with(&[("SPRITE_BASE_URL", &named)]);
    shop.user("alice");
    shop
}

/// Sends a form with this content in the field, as often as it is there.
fn send(browser: &Client, csrf: &str, Field { action, name, others }: &Field, contents: &[&str]) -> Answer {
    let own = [("csrf", csrf)].into_iter().chain(others.iter().copied());
    let fields: Vec<(&str, &str)> = own.chain(contents.iter().map(|content| (*name, *content))).collect();
    browser.post_form(action, &fields)
}

fn is_refusal(answer: &Answer) -> bool {
    (400..500).contains(&answer.status)
}

/// The forms, each with each kind of content that none takes.
fn send_all(browser: &Client, csrf: &str, fields: &[Field]) {
    let long = "x".repeat(17_000);
    for field in fields {
        let what = format!("{} {}", field.action, field.name);
        assert_eq!(send(browser, csrf, field, &[&long]).status, 413, "{what}: oversized");
        assert_eq!(send(browser, csrf, field, &[&long[..16_000]]).status, 400, "{what}: long");
        assert_eq!(send(browser, csrf, field, &["yes", "yes"]).status, 400, "{what}: repeated");
        for strange in ["a\u{0}b", "a\nb", "a\u{7f}b", "a\u{202e}b", "\u{2066}a\u{2069}"] {
            let refused = send(browser, csrf, field, &[strange]);
            assert_eq!(refused.status, 400, "{what}: {strange:?}: {}", refused.body);
            assert!(refused.body.contains("control characters"), "{what}: {}", refused.body);
        }
    }
}

#[test]
fn forms_of_visitors_take_plain_text_once_and_no_more_than_fits() {
    let shop = shop();
    shop.set_password("alice", "four words of no use");
    let browser = shop.visitor();
    let csrf = browser.get("/login").must(200).form("/login/mail")[0].1.clone();
    send_all(&browser, &csrf, VISITORS);
    for field in VISITORS {
        let what = format!("{} {}", field.action, field.name);
        for contents in [&[][..], &[""], &["🙂👩‍👩‍👧"], &["اسم טקסט"]] {
            let answer = send(&browser, &csrf, field, contents);
            let is_ours = is_refusal(&answer) || answer.header("location").starts_with("/login");
            let is_sent_elsewhere = field.name == "invite" || (field.action == "/signup" && answer.status == 200);
            assert!(is_ours || is_sent_elsewhere, "{what} {contents:?}: {} {}", answer.status, answer.body);
        }
    }
    for (what, path) in [
        ("a token", "/login?token="),
        ("a code", "/confirm?code="),
        ("an invitation", "/signup?invite="),
        ("a letter", "/unsubscribe?token="),
        ("a purchase", "/billing/return?session_id="),
        ("a provider", "/login/oidc?invite="),
        ("a way back", "/login/second?return_to="),
    ] {
        for content in ["", "%00", "%E2%80%AE", "%F0%9F%99%82", "%FF%FE", "%", &"x".repeat(3_000), "a&token=b&code=b"] {
            let answer = browser.get(&format!("{path}{content}"));
            assert!(answer.status < 500, "{what} {content}: {} {}", answer.status, answer.body);
            assert!(!answer.header("location").contains("//"), "{what} {content}: {}", answer.header("location"));
        }
    }
    browser.get("/v1/me").must(401);
    let audit = shop.till_prints(&["audit", "list"]);
    assert!(!audit.contains("signed_in") && !audit.contains("signed_up"), "{audit}");
}

#[test]
fn forms_of_an_account_take_plain_text_once_and_no_more_than_fits() {
    let shop = shop();
    let browser = shop.sign_in("alice");
    let csrf = browser.get("/account").must(200).form("/account/name")[0].1.clone();
    let stored = || {
        let mut data: Value = browser.get("/account/data.json").must(200).json();
        for what_changes in ["sessions", "audit", "letters_refused"] {
            data[what_changes].take();
        }
        data
    };
    let before = stored();
    send_all(&browser, &csrf, OWNERS);
    // An unticked box is no letter wanted, and codes are removed without one after a fresh sign-in.
    let others = ["/account/name", "/account/mail", "/account/second-factor/remove"];
    for field in OWNERS.iter().filter(|field| !others.contains(&field.action)) {
        for contents in [&[][..], &[""], &["🙂"]] {
            let is_name = field.action == "/account/tokens" && contents == ["🙂"];
            let answer = send(&browser, &csrf, field, contents);
            let what = format!("{} {} {contents:?}: {} {}", field.action, field.name, answer.status, answer.body);
            assert!(is_refusal(&answer) != is_name, "{what}");
        }
    }
    let tokens = before["tokens"].clone();
    let mut after = stored();
    assert_eq!(after["tokens"].as_array().unwrap().len(), 1, "the emoji is a name");
    after["tokens"] = tokens;
    assert_eq!(after, before, "what was refused changed nothing");
    // Right-to-left letters and emoji are a name like any other, and are shown as text.
    let name = "عادة <i>🙂</i> שלום";
    browser.post_form("/account/name", &[("csrf", &csrf), ("name", name)]).must(303);
    let page = browser.get("/account").must(200);
    assert!(page.body.contains("عادة &#60;i&#62;🙂&#60;/i&#62; שלום"), "{}", page.body);
    for contents in [&[][..], &[""], &["", ""]] {
        let answer = send(&browser, &csrf, &field("/account/name", "name", &[]), contents);
        assert!(is_refusal(&answer), "{contents:?}: {}", answer.status);
    }
    assert_eq!(browser.get("/v1/me").must(200).json()["name"], name);
}

#[test]
fn a_password_form_names_what_is_wrong_with_it_in_the_readers_language() {
    let shop = Shop::open_with(&MAIL);
    let url = shop.till.url.as_str();
    let headers = [("accept", "text/html"), ("origin", url), ("sec-fetch-site", "same-origin")];
    let german = Client::new(url, &[&headers[..], &[("accept-language", "de")]].concat());
    let english = shop.visitor();
    let sign_up = |browser: &Client, address: &str, password: &str| {
        let page = browser.get("/signup").must(200);
        browser.fill(&page, "/signup", &[("address", address), ("password", password)]).must(400).body
    };
    for (address, password, said, gesagt) in [
        ("ada", "", "This is no email address", "Das ist keine E-Mail-Adresse"),
        ("ada@example.org", "short", "The password has 5 characters: 8 to 128", "Das Passwort hat 5 Zeichen"),
        ("ada@example.org", "password123", "anybody would guess", "würde jeder gleich am Anfang erraten"),
        ("a\u{202e}@example.org", "", "The field address holds control", "Das Feld address enthält Steuerzeichen"),
    ] {
        let (page, seite) = (sign_up(&english, address, password), sign_up(&german, address, password));
        assert!(page.contains(said) && page.contains("Go back and try again."), "{page}");
        assert!(seite.contains(gesagt) && seite.contains("Gehen Sie zurück"), "{seite}");
        assert!(seite.contains("<html lang=\"de\">") && page.contains("href=\"/login\""), "{seite}");
    }
    let form = [("address", "ada@example.org")];
    let old = german.post_form("/reset", &form).must(403).body;
    assert!(old.contains("Dieses Formular kam nicht von dieser Website"), "{old}");
}

#[test]
fn a_forged_header_changes_neither_where_a_link_leads_nor_what_is_asked_for() {
    let shop = Shop::open_with(&MAIL);
    let url = shop.till.url.as_str();
    let forged = Client::new(
        url,
        &[
            ("accept", "text/html"),
            ("origin", url),
            ("sec-fetch-site", "same-origin"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-for", "\u{202e}evil, 203.0.113.9"),
            ("forwarded", "for=evil;host=evil.example;proto=https"),
            ("x-original-url", "/healthz"),
            ("x-rewrite-url", "/healthz"),
            ("x-http-method-override", "POST"),
            ("referer", "https://evil.example/\u{202e}"),
        ],
    );
    for path in ["/", "/login", "/signup", "/reset", "/confirm?code=x", "/login?token=x", "/nothing"] {
        let page = forged.get(path);
        assert!(!page.body.contains("evil") && page.body.starts_with("<!doctype html>"), "{path}: {}", page.body);
    }
    let hosted = "GET / HTTP/1.1\r\nHost: evil.example\r\nAccept: text/html\r\nConnection: close\r\n\r\n";
    let page = String::from_utf8_lossy(&wire::send(url, hosted.as_bytes())).into_owned();
    assert!(page.contains("200 OK") && !page.contains("evil"), "{page}");
    let page = forged.get("/signup").must(200);
    forged.fill(&page, "/signup", &[("address", "ada@example.org"), ("password", "")]).must(200);
    let letter = shop.hand().text("SELECT fields FROM mails");
    assert!(letter.contains(&format!("{url}/confirm?code=")) && !letter.contains("evil"), "{letter}");
}

#[test]
fn a_form_of_another_tab_works_until_somebody_signs_in_and_then_says_why_not() {
    let shop = shop();
    shop.set_password("alice", "four words of no use");
    let browser = shop.visitor();
    let (first, second) = (browser.get("/login").must(200), browser.get("/login").must(200));
    let typed = |page: &Answer, password: &str| {
        browser.fill(page, "/login/password", &[("address", "alice"), ("password", password)])
    };
    typed(&second, "wrong").must(401);
    typed(&first, "four words of no use").must(303);
    let late = typed(&second, "four words of no use").must(403);
    assert!(late.body.contains("is too old. Load the page again."), "{}", late.body);
    // The first tab is signed in still; after the sign-out, no tab is.
    let account = browser.get("/account").must(200);
    browser.sign_out();
    let refused = browser.press(&account, "/account/second-factor").must(401);
    assert!(refused.body.contains("You are not signed in here. Sign in") && refused.body.contains("href=\"/login\""));
    assert_eq!(browser.get("/account").must(303).header("location"), "/login");
}
