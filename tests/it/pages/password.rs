//! Signing in by a password: the same words whether an account exists or not, a bound before the hash, and nobody stays signed
//! in after a new one.

use crate::harness::{Answer, Client, Shop, process};

const GOOD: &str = "four words of no use";

/// `till user password ID` with this on standard input.
fn set(shop: &Shop, id: &str, password: &str) -> (bool, String) {
    let output = process::run_with_input(shop.variables(), &["user", "password", id], password);
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn try_password(browser: &Client, name: &str, password: &str) -> Answer {
    let page = browser.get("/login").must(200);
    browser.fill(&page, "/login/password", &[("address", name), ("password", password)])
}

#[test]
fn a_password_signs_in_and_what_is_wrong_is_not_said() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    assert!(!shop.visitor().get("/login").must(200).body.contains("action=\"/login"), "nobody has a password yet");
    let (is_set, said) = set(&shop, "alice", GOOD);
    assert!(is_set && said.contains("/login with the id alice"), "{said}");
    let browser = shop.visitor();
    let page = browser.get("/login").must(200);
    assert!(page.header("content-security-policy").ends_with("form-action 'self'"));
    // Without letters no address signs in, and who has no password still needs the app's link.
    for words in ["Account id", "Or by a link from the app", "Ask there for a sign-in link"] {
        assert!(page.body.contains(words) && !page.body.contains("Email address"), "{words}: {}", page.body);
    }
    let arrived = browser.fill(&page, "/login/password", &[("address", "alice"), ("password", GOOD)]).must(303);
    assert_eq!(arrived.header("location"), "/dashboard");
    assert!(!browser.cookies().contains("till-form"), "{}", browser.cookies());
    assert_eq!(browser.get("/v1/me").must(200).json()["id"], "alice");
    let account = browser.get("/account").must(200).body;
    assert!(account.contains("Your id: alice") && account.contains("You sign in with your id, alice"), "{account}");

    // No account, an account without a password, another password, and nothing at all.
    let mut words = Vec::new();
    for (name, password) in [("nobody", GOOD), ("bob", GOOD), ("alice", "four words of no us"), ("alice", ""), ("", "")]
    {
        let refused = try_password(&shop.visitor(), name, password).must(401);
        assert!(refused.header("set-cookie").starts_with("till-form="), "only the form's cookie");
        let typed = format!("value=\"{name}\"");
        let body = refused.body.replace(&typed, "value=\"\"");
        let csrf = refused.form("/login/password")[0].1.clone();
        words.push(body.replace(&csrf, ""));
    }
    words.dedup();
    assert_eq!(words.len(), 1, "{words:#?}");

    // The former session of the browser ends.
    let former = Client::new(&shop.till.url, &[("cookie", &browser.cookies()), ("accept", "application/json")]);
    try_password(&browser, "alice", GOOD).must(303);
    former.get("/v1/me").must(401);
}

#[test]
fn the_form_is_ours_and_its_fields_are_there_once() {
    let shop = Shop::open();
    shop.user("alice");
    assert!(set(&shop, "alice", GOOD).0);
    let browser = shop.visitor();
    let csrf = browser.get("/login").must(200).form("/login/password")[0].1.clone();
    let twice = [("csrf", csrf.as_str()), ("address", "alice"), ("address", "bob"), ("password", GOOD)];
    browser.post_form("/login/password", &twice).must(400);
    let twice = [("csrf", csrf.as_str()), ("address", "alice"), ("password", "x"), ("password", GOOD)];
    browser.post_form("/login/password", &twice).must(400);
    for name in ["a\u{202e}b", "a\nb", "a\u{0}", &"x".repeat(255)] {
        browser.post_form("/login/password", &[("csrf", &csrf), ("address", name), ("password", GOOD)]).must(400);
    }
    browser.post_form("/login/password", &[("csrf", &csrf), ("address", "🙂"), ("password", "🙂🙂")]).must(401);
    browser.post_form("/login/password", &[("csrf", &csrf), ("password", &"x".repeat(17_000))]).must(413);
    let cookie = ("cookie", browser.cookies());
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("csrf", csrf.as_str()), ("address", "alice"), ("password", GOOD)])
        .finish();
    for (what, cookie, origin) in [
        ("no origin", cookie.1.as_str(), None),
        ("another site", &cookie.1, Some("https://evil.example")),
        ("no cookie", "", Some(shop.till.url.as_str())),
    ] {
        let headers: Vec<(&str, &str)> = origin.map(|origin| ("origin", origin)).into_iter().collect();
        let more = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie)];
        let refused = Client::new(&shop.till.url, &headers).send("POST", "/login/password", &more, body.as_bytes());
        assert_eq!(refused.status, 403, "{what}");
    }
    assert_eq!(browser.get("/login/password").must(303).header("location"), "/login");
}

#[test]
fn guesses_are_bounded_for_each_name_before_anything_is_hashed() {
    let shop = Shop::open();
    shop.user("alice");
    assert!(set(&shop, "alice", GOOD).0);
    let browser = shop.visitor();
    let csrf = browser.get("/login").must(200).form("/login/password")[0].1.clone();
    let guess = |name: &str, password: &str| {
        browser.post_form("/login/password", &[("csrf", &csrf), ("address", name), ("password", password)])
    };
    for name in ["alice", "nobody"] {
        let answers: Vec<Answer> = (0..14).map(|number| guess(name, &format!("guess number {number}"))).collect();
        let refused = answers.iter().find(|answer| answer.status == 429).unwrap_or_else(|| panic!("{name}"));
        assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
        assert!(answers[..10].iter().all(|answer| answer.status == 401), "{name}");
    }
    guess("NOBODY", GOOD).must(429);
    // The owner still comes in by a link.
    shop.sign_in("alice");
}

#[test]
fn guesses_at_one_account_are_counted_together_however_it_is_named() {
    let shop = Shop::open();
    shop.user("alice");
    assert!(set(&shop, "alice", GOOD).0);
    shop.hand().change(
        "INSERT INTO addresses (canonical, account, written, verified_at)
        SELECT 'ada@example.org', account, 'ada@example.org', 0 FROM users",
    );
    let (_, said) = set(&shop, "alice", GOOD);
    assert!(said.contains("with the id alice, or with ada@example.org"), "{said}");
    let (browser, owner) = (shop.visitor(), shop.sign_in("alice"));
    let spellings = ["alice", "ada@example.org", "ADA@example.org", "ada@\u{ff45}xample.org", "ada@example\u{3002}org"];
    for number in 0..10 {
        let name = spellings[number % spellings.len()];
        assert_eq!(try_password(&browser, name, &format!("guess number {number}")).status, 401, "{name}");
    }
    for name in spellings {
        assert_eq!(try_password(&browser, name, GOOD).status, 429, "{name}");
    }
    // The old password that the account page asks for is compared no more often.
    let page = owner.get("/account").must(200);
    owner.fill(&page, "/account/password", &[("old", GOOD), ("new", "another four words")]).must(429);
}

#[test]
fn a_shops_words_joined_and_a_common_password_in_disguise_are_none() {
    let shop = Shop::open();
    shop.user("alice");
    for password in [
        "PassWord123",
        "aaaaaaaaaaaa",
        "pictures2026",
        "alice1234567",
        "picturespictures",
        "till-pictures",
        "starter123",
        "topup100",
        "P@ssword1",
        "Welcome1!",
        "trustno1!",
    ] {
        let (is_set, said) = set(&shop, "alice", password);
        assert!(!is_set && said.contains("among the first"), "{password}: {said}");
    }
    assert!(set(&shop, "alice", "pictures of zebras").0);
}

#[test]
fn a_new_password_ends_every_session_and_is_none_that_anybody_would_guess() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let elsewhere = shop.sign_in("alice");
    let page = browser.get("/account").must(200);
    assert!(!page.body.contains("Old password"));
    for (password, status) in [("short", 400), ("password123", 400), (&"x y".repeat(43), 400), ("🙂 ثمانية حروف", 303)]
    {
        browser.fill(&page, "/account/password", &[("new", password)]).must(status);
    }
    elsewhere.get("/v1/me").must(401);
    browser.get("/v1/me").must(200);
    let page = browser.get("/account").must(200);
    browser.fill(&page, "/account/password", &[("old", "not the old one"), ("new", GOOD)]).must(403);
    browser.fill(&page, "/account/password", &[("old", "🙂 ثمانية حروف"), ("new", GOOD)]).must(303);
    try_password(&shop.visitor(), "alice", "🙂 ثمانية حروف").must(401);
    try_password(&shop.visitor(), "alice", GOOD).must(303);

    // By command: from standard input, or made; both sign everybody out.
    assert!(!set(&shop, "alice", "password").0 && !set(&shop, "nobody", GOOD).0);
    browser.get("/v1/me").must(200);
    assert!(set(&shop, "alice", "another four words").0);
    browser.get("/v1/me").must(401);
    let made = shop.till_prints(&["user", "password", "alice"]);
    try_password(&shop.visitor(), "alice", made.trim()).must(303);
    let audit = shop.till_prints(&["audit", "list"]);
    assert!(audit.contains("password_set") && !audit.contains(made.trim()), "{audit}");
    assert!(!shop.till.log().contains(GOOD), "no password is logged");
}
