//! Passkeys through HTTP, with an authenticator in software: what is believed, once, in the browser that was asked.

use serde_json::Value;

use crate::harness::authenticator::{Authenticator, Said};
use crate::harness::{Answer, Client, Shop};

/// A shop under a name for which browsers have passkeys, with a user.
pub fn shop_with(user: &str) -> Shop {
    let shop = Shop::open_at_localhost();
    shop.user(user);
    shop
}

/// What the page's script is asked, when the button of the form at `action` is pressed.
pub(super) fn asked(browser: &Client, page: &Answer, action: &str) -> Value {
    let csrf = page.form(action)[0].1.clone();
    browser.post_form(&format!("{action}/begin"), &[("csrf", &csrf)]).must(200).json()
}

pub(super) fn add(browser: &Client, shop: &Shop, name: &str) -> Authenticator {
    let (page, made) = (browser.get("/account").must(200), Authenticator::new());
    let answer = made.make(&asked(browser, &page, "/account/passkeys"), &shop.till.url);
    let added = browser.fill(&page, "/account/passkeys", &[("answer", &answer), ("name", name)]).must(303);
    assert_eq!(added.header("location"), "/account?done=passkey-added");
    made
}

fn try_sign_in(browser: &Client, sign: impl FnOnce(&Value) -> String) -> Answer {
    let page = browser.get("/login").must(200);
    let answer = sign(&asked(browser, &page, "/login/passkey"));
    browser.fill(&page, "/login/passkey", &[("answer", &answer)])
}

fn who(browser: &Client) -> String {
    browser.get("/v1/me").must(200).json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_passkey_signs_in_whom_it_was_made_for_until_it_is_removed() {
    let shop = shop_with("alice");
    assert!(!shop.visitor().get("/login").must(200).body.contains("/login/passkey"), "nobody has one yet");
    let browser = shop.sign_in("alice");
    let phone = add(&browser, &shop, "My phone");
    let key = add(&browser, &shop, "<b>key</b>");
    let page = browser.get("/account").must(200);
    assert!(page.body.contains("value=\"My phone\"") && !page.body.contains("<b>key"), "{}", page.body);

    // In another browser, which has a session of somebody else.
    shop.user("bob");
    let elsewhere = shop.sign_in("bob");
    let former = Client::new(&shop.till.url, &[("cookie", &elsewhere.cookies()), ("accept", "application/json")]);
    let arrived = try_sign_in(&elsewhere, |asked| phone.sign(asked, &shop.till.url)).must(303);
    assert_eq!(arrived.header("location"), "/dashboard");
    assert_eq!(who(&elsewhere), "alice");
    former.get("/v1/me").must(401);
    assert_eq!(who(&browser), "alice", "other browsers stay signed in");
    try_sign_in(&shop.visitor(), |asked| key.sign(asked, &shop.till.url)).must(303);

    // Names and times are the person's to read; keys are not in the file.
    let data = elsewhere.get("/account/data.json").must(200).json();
    assert_eq!(data["passkeys"][0]["name"], "My phone");
    assert!(data["passkeys"][0]["last_used_at"].is_string() && data["passkeys"][0].get("public_key").is_none());
    assert_eq!(data["sessions"][0]["method"], "passkey");
    assert!(data["sessions"][0]["second_factor_at"].is_string(), "its owner was verified");

    let page = elsewhere.get("/account").must(200);
    elsewhere.fill(&page, "/account/passkeys/rename", &[("name", "Old phone")]).must(303);
    elsewhere.fill(&page, "/account/passkeys/rename", &[("name", "")]).must(400);
    let page = elsewhere.get("/account").must(200);
    assert!(page.body.contains("value=\"Old phone\""));
    let removed = elsewhere.press(&page, "/account/passkeys/remove").must(303);
    assert_eq!(removed.header("location"), "/account?done=passkey-removed");
    try_sign_in(&shop.visitor(), |asked| phone.sign(asked, &shop.till.url)).must(401);
    assert_eq!(who(&elsewhere), "alice", "and nobody is signed out");
    let page = elsewhere.get("/account").must(200);
    let removed = elsewhere.press(&page, "/account/passkeys/remove").must(303);
    assert_eq!(removed.header("location"), "/account?done=last-passkey-removed");
    assert!(elsewhere.get(removed.header("location")).must(200).body.contains("set a password"));
    elsewhere.press(&page, "/account/passkeys/remove").must(404);

    let audit = shop.till_prints(&["audit", "list"]);
    for action in ["passkey_added", "passkey_renamed", "passkey_removed"] {
        assert!(audit.contains(action), "{action}: {audit}");
    }
}

#[test]
fn an_answer_is_believed_if_it_is_proved_and_is_to_what_was_asked() {
    let shop = shop_with("alice");
    let phone = add(&shop.sign_in("alice"), &shop, "phone");
    let browser = shop.visitor();
    type Lie = (&'static str, fn(&mut Said));
    let lies: [Lie; 9] = [
        ("another origin", |said| said.origin = "https://evil.example".into()),
        ("another port", |said| said.origin = "http://localhost:1".into()),
        ("another site's key", |said| said.rp_id = "evil.example".into()),
        ("another challenge", |said| said.challenge = "AAAAAAAAAAAAAAAAAAAAAA".into()),
        ("an answer to something else", |said| said.kind = "webauthn.create"),
        ("nobody was there", |said| said.flags = 0x04),
        ("its owner was not verified", |said| said.flags = 0x01),
        ("another account's handle", |said| said.handle = "AAAAAAAAAAAAAAAAAAAAAA".into()),
        ("a signature that is tampered with", |said| said.is_tampered = true),
    ];
    for (what, lie) in lies {
        let refused = try_sign_in(&browser, |asked| phone.sign_but(asked, &shop.till.url, lie));
        assert_eq!(refused.status, 401, "{what}: {}", refused.body);
        assert!(refused.body.contains("could not sign you in"), "{what}");
    }
    for garbage in ["", "{}", "[]", "null", "{\"id\":1}", "ä", &"x".repeat(12_000)] {
        assert_eq!(try_sign_in(&browser, |_| garbage.to_owned()).status, 401, "{garbage}");
    }
    // A client may not try for ever, so the next is another one's.
    assert_eq!(try_sign_in(&browser, |_| "x".repeat(12_289)).status, 400);
    shop.till.wait_for_log("why", |line| line["event"] == "passkey_not_taken" && line["user_id"] == "alice");
}

#[test]
fn a_question_is_answered_once_in_the_browser_that_was_asked_and_a_copy_is_refused() {
    let shop = shop_with("alice");
    let phone = add(&shop.sign_in("alice"), &shop, "phone");
    let (browser, other) = (shop.visitor(), shop.visitor());
    let page = browser.get("/login").must(200);
    let answer = phone.sign(&asked(&browser, &page, "/login/passkey"), &shop.till.url);
    let theirs = other.get("/login").must(200);
    other.fill(&theirs, "/login/passkey", &[("answer", &answer)]).must(401);
    asked(&other, &theirs, "/login/passkey");
    other.fill(&theirs, "/login/passkey", &[("answer", &answer)]).must(401);
    let form = page.form("/login/passkey");
    browser.fill(&page, "/login/passkey", &[("answer", &answer)]).must(303);
    // The form's cookie is gone with the sign-in; with a new form, the same answer opens nothing.
    browser.post_form("/login/passkey", &[("csrf", &form[0].1), ("answer", &answer)]).must(403);
    try_sign_in(&browser, |_| answer.clone()).must(401);

    // A copy that was made earlier counts from there.
    phone.counter.set(phone.counter.get() - 1);
    try_sign_in(&browser, |asked| phone.sign(asked, &shop.till.url)).must(401);
    let audit = shop.till_prints(&["audit", "list"]);
    assert!(audit.contains("passkey_refused") && audit.contains("did not rise"), "{audit}");
    try_sign_in(&browser, |asked| phone.sign(asked, &shop.till.url)).must(303);
}

#[test]
fn a_passkey_is_added_once_by_its_owner_who_has_just_signed_in() {
    let shop = shop_with("alice");
    shop.user("mallory");
    let (browser, mallory) = (shop.sign_in("alice"), shop.sign_in("mallory"));
    let page = browser.get("/account").must(200);
    let made = Authenticator::new();
    let question = asked(&browser, &page, "/account/passkeys");
    assert_eq!(question["rp"]["id"], "localhost");
    assert_eq!(question["authenticatorSelection"]["userVerification"], "required");
    let lies: [fn(&mut Said); 3] = [
        |said| said.origin = "http://localhost:1".into(),
        |said| said.flags = 0x01,
        |said| said.challenge = "AAAAAAAAAAAAAAAAAAAAAA".into(),
    ];
    for lie in lies {
        let question = asked(&browser, &page, "/account/passkeys");
        let answer = made.make_but(&question, &shop.till.url, lie);
        browser.fill(&page, "/account/passkeys", &[("answer", &answer), ("name", "x")]).must(400);
    }
    // What one session was asked is not for another to answer, and each question is asked for one answer.
    let answer = made.make(&asked(&browser, &page, "/account/passkeys"), &shop.till.url);
    let theirs = mallory.get("/account").must(200);
    mallory.fill(&theirs, "/account/passkeys", &[("answer", &answer), ("name", "x")]).must(400);
    browser.fill(&page, "/account/passkeys", &[("answer", &answer), ("name", "x")]).must(303);
    browser.fill(&page, "/account/passkeys", &[("answer", &answer), ("name", "x")]).must(400);
    // The next question names it, so that the same device makes no other; and it is not somebody else's too.
    let question = asked(&browser, &page, "/account/passkeys");
    assert_eq!(question["excludeCredentials"].as_array().unwrap().len(), 1);
    let again = made.make(&asked(&mallory, &theirs, "/account/passkeys"), &shop.till.url);
    mallory.fill(&theirs, "/account/passkeys", &[("answer", &again), ("name", "x")]).must(400);
    // Nobody else's is renamed or removed.
    let own = browser.get("/account").must(200).form("/account/passkeys/remove");
    let csrf = theirs.form("/account/passkeys")[0].1.clone();
    for path in ["/account/passkeys/remove", "/account/passkeys/rename"] {
        mallory.post_form(path, &[("csrf", &csrf), ("passkey", &own[1].1), ("name", "mine")]).must(404);
        mallory.post_form(path, &[("csrf", &csrf), ("passkey", "x"), ("name", "mine")]).must(400);
        mallory.post_form(path, &[("csrf", ""), ("passkey", &own[1].1), ("name", "mine")]).must(403);
    }
}

#[test]
fn erasure_takes_the_passkeys_and_where_there_are_none_nothing_offers_them() {
    let shop = shop_with("alice");
    let browser = shop.sign_in("alice");
    let phone = add(&browser, &shop, "phone");
    let page = browser.get("/account").must(200);
    browser.fill(&page, "/account/erase", &[("sure", "yes")]).must(303);
    assert!(!shop.visitor().get("/login").must(200).body.contains("/login/passkey"), "there is none left");
    drop(phone);

    // An address is no name, so browsers have no passkeys for it.
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let page = browser.get("/account").must(200);
    assert!(!page.body.contains("asskey"), "{}", page.body);
    let csrf = page.form("/account/name")[0].1.clone();
    browser.post_form("/account/passkeys/begin", &[("csrf", &csrf)]).must(404);
    assert_eq!(browser.get("/login/passkey").must(303).header("location"), "/login");
}

#[test]
fn a_password_alone_changes_no_way_to_sign_in_of_somebody_who_has_a_passkey() {
    let shop = shop_with("alice");
    shop.set_password("alice", "four words of no use");
    let phone = add(&shop.sign_in("alice"), &shop, "My phone");
    let thief = shop.visitor();
    let page = thief.get("/login").must(200);
    let typed = [("address", "alice"), ("password", "four words of no use")];
    thief.fill(&page, "/login/password", &typed).must(303);
    let page = thief.get("/account").must(200);
    assert!(page.body.contains("/login/second?return_to=/account"), "{}", page.body);
    let csrf = page.form("/account/name")[0].1.clone();
    let number = shop.hand().text("SELECT number FROM passkeys");
    let fields = [
        ("csrf", csrf.as_str()),
        ("passkey", &number),
        ("name", "Mine"),
        ("answer", "{}"),
        ("code", "000000"),
        ("old", "four words of no use"),
        ("new", "another four words"),
        ("sure", "yes"),
    ];
    for action in [
        "second-factor",
        "second-factor/confirm",
        "passkeys/begin",
        "passkeys",
        "passkeys/rename",
        "passkeys/remove",
        "password",
        "identities",
        "erase",
    ] {
        let refused = thief.post_form(&format!("/account/{action}"), &fields);
        assert_eq!(refused.status, 403, "{action}: {}", refused.body);
        let is_led = refused.body.contains("/login/second?return_to=/account");
        assert!(is_led || action == "passkeys/begin", "{action}: {}", refused.body);
    }
    // The owner proves the passkey, and goes on.
    let page = thief.get("/login/second?return_to=/account").must(200);
    let answer = phone.sign(&asked(&thief, &page, "/login/passkey"), &shop.till.url);
    let proved = thief.fill(&page, "/login/passkey", &[("answer", &answer)]).must(303);
    assert_eq!(proved.header("location"), "/account");
    let page = thief.get("/account").must(200);
    thief.press(&page, "/account/second-factor").must(200);
    // Who has lost it asks the operator.
    assert!(shop.till_prints(&["user", "second-factor", "alice", "--remove"]).contains("no second factor any more"));
    assert_eq!(shop.hand().number("SELECT COUNT(*) FROM passkeys"), 0);
}
