//! Codes of an authenticator app: a person who set them up is asked for one after the password, and a code works once.

use data_encoding::BASE32_NOPAD;
use ring::hmac;
use till::clock::Clock;

use super::passkeys::shop_with;
use crate::harness::{Answer, Client, Shop};

const PASSWORD: &str = "four words of no use";

/// An authenticator app.
pub(super) struct Phone {
    secret: Vec<u8>,
}

impl Phone {
    /// It reads the page that shows the secret.
    pub(super) fn of(page: &Answer) -> Phone {
        let letters = page.body.split("<code class=\"secret\">").nth(1).unwrap().split('<').next().unwrap();
        Phone { secret: BASE32_NOPAD.decode(letters.replace(' ', "").as_bytes()).unwrap() }
    }

    /// The code of so many half minutes from now (RFC 6238).
    pub(super) fn code(&self, later: i64) -> String {
        let now = Clock::System.now().seconds();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &(now / 30 + later).to_be_bytes());
        let tag = tag.as_ref();
        let from = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes(tag[from..from + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}

/// Sets codes up, with the code of the half minute before, so that those of now are still good.
pub(super) fn set_up(browser: &Client) -> Phone {
    let page = browser.get("/account").must(200);
    let shown = browser.press(&page, "/account/second-factor").must(200);
    assert!(shown.body.contains("otpauth://totp/") && shown.body.contains("<svg class=\"qr\""), "{}", shown.body);
    let phone = Phone::of(&shown);
    let refused = browser.fill(&shown, "/account/second-factor/confirm", &[("code", "000000")]).must(400);
    assert_eq!(Phone::of(&refused).secret, phone.secret, "the app that was set up stays right");
    // Once more, should a half minute end just then.
    let try_code = || browser.fill(&refused, "/account/second-factor/confirm", &[("code", &phone.code(-1))]);
    let confirmed = (0..2).map(|_| try_code()).find(|answer| answer.status == 303).expect("the code is right");
    assert_eq!(confirmed.header("location"), "/account?done=second-factor-set");
    phone
}

fn type_password(browser: &Client, password: &str) -> Answer {
    let page = browser.get("/login").must(200);
    browser.fill(&page, "/login/password", &[("address", "alice"), ("password", password)])
}

/// The page that asks for the code, after the password.
fn ask(browser: &Client) -> Answer {
    assert_eq!(type_password(browser, PASSWORD).must(303).header("location"), "/login/second");
    browser.get("/login/second").must(200)
}

fn shop() -> (Shop, Client, Phone) {
    let shop = shop_with("alice");
    shop.set_password("alice", PASSWORD);
    let browser = shop.sign_in("alice");
    let phone = set_up(&browser);
    (shop, browser, phone)
}

#[test]
fn a_password_alone_opens_nothing_of_somebody_who_set_up_codes() {
    let (shop, owner, phone) = shop();
    let browser = shop.visitor();
    let page = ask(&browser);
    browser.get("/v1/me").must(401);
    assert_eq!(browser.get("/account").must(303).header("location"), "/login");
    let refused = browser.fill(&page, "/login/second", &[("code", "000000")]).must(401);
    assert!(refused.body.contains("role=\"alert\""));
    browser.get("/v1/me").must(401);
    // Elsewhere nothing is awaited, and the form is ours.
    assert_eq!(shop.visitor().get("/login/second").must(303).header("location"), "/login");
    let fields = [("csrf", ""), ("step", "sign_in"), ("code", "000000")];
    browser.post_form("/login/second", &fields).must(403);
    let code = phone.code(0);
    let arrived = browser.fill(&page, "/login/second", &[("code", &code)]).must(303);
    assert_eq!(arrived.header("location"), "/dashboard");
    assert_eq!(browser.get("/v1/me").must(200).json()["id"], "alice");
    // The code is spent, and so are those before it.
    let other = shop.visitor();
    let page = ask(&other);
    other.fill(&page, "/login/second", &[("code", &code)]).must(401);
    other.fill(&page, "/login/second", &[("code", &phone.code(-1))]).must(401);
    // A new password ends what was begun with the old one.
    shop.set_password("alice", "another four words");
    assert_eq!(other.fill(&page, "/login/second", &[("code", &phone.code(1))]).must(303).header("location"), "/login");
    other.get("/v1/me").must(401);
    // A wrong password says the same as ever.
    type_password(&shop.visitor(), "wrong wrong wrong").must(401);
    owner.get("/v1/me").must(401);
    // What is stored says when, and not what.
    let exported = shop.till_prints(&["user", "export", "alice"]);
    assert!(exported.contains("second_factor_set_at") && !exported.contains("secret"), "{exported}");
}

#[test]
fn codes_are_guessed_slowly_and_before_any_is_compared() {
    let (shop, _, phone) = shop();
    let browser = shop.visitor();
    let page = ask(&browser);
    let answers: Vec<Answer> = (0..14).map(|_| browser.fill(&page, "/login/second", &[("code", "000000")])).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("guesses are bounded");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    browser.fill(&page, "/login/second", &[("code", &phone.code(0))]).must(429);
    // Another browser has the same account's bound.
    let other = shop.visitor();
    let page = ask(&other);
    other.fill(&page, "/login/second", &[("code", &phone.code(0))]).must(429);
}

#[test]
fn a_session_proves_a_second_factor_on_the_way_to_a_page_that_wants_one() {
    let (shop, _, phone) = shop();
    let browser = shop.sign_in("alice");
    let proved_at = || browser.get("/account/data.json").must(200).json()["sessions"][0]["second_factor_at"].clone();
    assert!(proved_at().is_null());
    for (asked, to) in [("/account", "/account"), ("//evil.example", "/dashboard")] {
        let page = browser.get(&format!("/login/second?return_to={asked}")).must(200);
        let code = phone.code(if to == "/account" { 0 } else { 1 });
        assert_eq!(browser.fill(&page, "/login/second", &[("code", &code)]).must(303).header("location"), to);
        browser.fill(&page, "/login/second", &[("code", &code)]).must(401);
    }
    assert!(proved_at().is_string());
    let audit = shop.till_prints(&["audit", "list"]);
    assert!(audit.contains("second_factor_proved"), "{audit}");
    // Who has none is led to where they get one.
    shop.user("bob");
    let bob = shop.sign_in("bob");
    assert!(bob.get("/login/second").must(200).body.contains("you have none yet"));
}

#[test]
fn at_a_browser_that_was_left_open_nothing_is_added_and_codes_are_removed_with_one() {
    let (shop, browser, phone) = shop();
    let fresh = browser.get("/account").must(200);
    assert_eq!(shop.hand().change("UPDATE sessions SET created_at = created_at - 600001"), 1);
    let page = browser.get("/account").must(200);
    assert!(!page.body.contains("data-passkey"), "{}", page.body);
    let csrf = fresh.form("/account/name")[0].1.clone();
    for path in ["/account/passkeys/begin", "/account/passkeys", "/account/second-factor"] {
        browser.post_form(path, &[("csrf", &csrf), ("name", "x"), ("answer", "{}")]).must(403);
    }
    browser.press(&fresh, "/account/second-factor/remove").must(403);
    browser.fill(&page, "/account/second-factor/remove", &[("code", "000000")]).must(403);
    ask(&shop.visitor());
    browser.fill(&page, "/account/second-factor/remove", &[("code", &phone.code(0))]).must(303);
    assert_eq!(type_password(&shop.visitor(), PASSWORD).must(303).header("location"), "/dashboard");
}

#[test]
fn codes_are_removed_by_their_owner_or_by_the_operator() {
    let (shop, browser, _) = shop();
    let page = browser.get("/account").must(200);
    browser.press(&page, "/account/second-factor/remove").must(303);
    type_password(&shop.visitor(), PASSWORD).must(303);
    let browser = shop.sign_in("alice");
    let page = browser.get("/account").must(200);
    set_up(&browser);
    browser.press(&page, "/account/second-factor").must(400);
    ask(&shop.visitor());

    assert!(!shop.till(&["user", "second-factor", "alice"]).status.success(), "it says what is done");
    assert!(shop.till_prints(&["user", "second-factor", "alice", "--remove"]).contains("no second factor any more"));
    assert!(shop.till_prints(&["user", "second-factor", "alice", "--remove"]).contains("had no second factor"));
    assert!(!shop.till(&["user", "second-factor", "nobody", "--remove"]).status.success());
    assert_eq!(type_password(&shop.visitor(), PASSWORD).must(303).header("location"), "/dashboard");
    let audit = shop.till_prints(&["audit", "list"]);
    for action in ["second_factor_set", "second_factor_removed"] {
        assert_eq!(audit.matches(action).count(), 2, "{action}: {audit}");
    }
}
