//! Letters with links: making an account, signing in, a new password, another address. A link is used by a button alone, in
//! the words and with the work that do not say whether an account exists.

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Shop};

/// A mail server that nobody runs: letters stay in the outbox, where a story reads them.
const MAIL: [(&str, &str); 2] =
    [("SPRITE_SMTP_URL", "smtp://127.0.0.1:1"), ("SPRITE_MAIL_FROM", "Pictures <billing@example.org>")];

fn shop_with(more: &[(&str, &str)]) -> Shop {
    Shop::open_with(&[&MAIL[..], more].concat())
}

/// The letters to an address that wait in the outbox, oldest first: kind and link.
fn letters(shop: &Shop, address: &str) -> Vec<(String, String)> {
    let waiting = format!(
        "SELECT kind, fields FROM mails WHERE to_address = '{address}' AND fields IS NOT NULL ORDER BY created_at, number"
    );
    let letter = |row: Vec<String>| {
        let fields: Value = serde_json::from_str(&row[1]).unwrap();
        (row[0].clone(), fields["url"].as_str().unwrap_or_default().to_owned())
    };
    shop.hand().rows(&waiting).into_iter().map(letter).collect()
}

/// The last letter to an address, as it waits.
fn fields_of_last(shop: &Shop, address: &str) -> String {
    let last = format!("SELECT fields FROM mails WHERE to_address = '{address}' ORDER BY created_at DESC, number DESC");
    shop.hand().rows(&last)[0][0].clone()
}

#[track_caller]
fn last_link(shop: &Shop, address: &str) -> String {
    letters(shop, address).into_iter().rev().find(|(_, url)| url.contains("/confirm?code=")).unwrap().1
}

/// Fills in the form at `path` that asks for a letter.
fn ask(browser: &Client, path: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
    let page = browser.get(path).must(200);
    browser.fill(&page, action, fields)
}

/// Makes an account in this browser.
fn sign_up(shop: &Shop, browser: &Client, address: &str, password: &str) {
    ask(browser, "/signup", "/signup", &[("address", address), ("password", password)]).must(200);
    let page = browser.get(&last_link(shop, address)).must(200);
    assert_eq!(browser.press(&page, "/confirm").must(303).header("location"), "/dashboard");
}

#[test]
fn an_account_is_made_by_the_button_to_which_the_letter_leads() {
    let shop = shop_with(&[]);
    let browser = shop.visitor();
    let asked = ask(&browser, "/signup", "/signup", &[("address", "Ada@Example.ORG"), ("password", "")]).must(200);
    assert!(asked.body.contains("Check your inbox") && browser.cookies().contains("till-asked="));
    assert!(!browser.cookies().contains("till-form="), "{}", browser.cookies());
    // What happened is said, and the way back to another address.
    assert!(asked.body.contains("If this address can be used here") && asked.body.contains("href=\"/signup\""));
    assert!(fields_of_last(&shop, "Ada@example.org").contains("sign_up"), "the letter says what it is for");
    let link = last_link(&shop, "Ada@example.org");
    let listed: Value = serde_json::from_str(&shop.till_prints(&["user", "list", "--json"])).unwrap();
    assert_eq!(listed["data"], json!([]), "nothing is made before");
    // A scanner looks, as often as it likes.
    for method in ["GET", "HEAD", "GET"] {
        Client::new(&shop.till.url, &[]).send(method, &link, &[], b"").must(200);
    }
    let page = browser.get(&link).must(200);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.header("content-security-policy").ends_with("form-action 'self'"));
    assert!(!page.body.contains("another browser"), "{}", page.body);
    browser.press(&page, "/confirm").must(303);
    let me = browser.get("/v1/me").must(200).json();
    assert!(me["id"].as_str().unwrap().starts_with("u_") && me["email"] == "Ada@example.org", "{me}");
    assert_eq!(browser.get(&link).must(410).header("referrer-policy"), "no-referrer");
    assert_eq!(browser.get("/login?token=spent").must(410).header("referrer-policy"), "no-referrer");
    let again = shop.visitor();
    let fresh = again.get("/login").must(200).form("/login/mail");
    let code = page.form("/confirm").into_iter().find(|(name, _)| name == "code").unwrap().1;
    again.post_form("/confirm", &[(&fresh[0].0, &fresh[0].1), ("code", &code)]).must(410);

    // The same address again, however it is written: the same account.
    let other = shop.visitor();
    sign_up(&shop, &other, "aDA@example.org", "");
    assert!(fields_of_last(&shop, "aDA@example.org").contains("sign_in"), "an account is not made again");
    assert_eq!(other.get("/v1/me").must(200).json()["id"], me["id"]);
    let audit = shop.till_prints(&["audit", "list"]);
    assert!(audit.contains("signed_up") && !audit.contains("example.org") && !audit.contains(&code), "{audit}");
    assert!(!shop.till.log().contains(&code) && !shop.till.log().contains("example.org"), "{}", shop.till.log());
}

#[test]
fn whether_an_address_has_an_account_is_not_said() {
    let shop = shop_with(&[]);
    // What a program writes for people to read signs nobody in.
    shop.api.call("PUT", "/v1/users/bob", &json!({"email": "bob@example.org"})).must(201);
    sign_up(&shop, &shop.visitor(), "ada@example.org", "four words of no use");
    for (path, action) in [("/login", "/login/mail"), ("/reset", "/reset"), ("/signup", "/signup")] {
        let browser = shop.visitor();
        let answers: Vec<Answer> = ["ada@example.org", "bob@example.org", "eve@example.org"]
            .iter()
            .map(|address| ask(&browser, path, action, &[("address", address)]).must(200))
            .collect();
        assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{path}");
    }
    let kinds = |address: &str| letters(&shop, address).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    assert_eq!(kinds("bob@example.org"), ["sign_in"], "to make an account, and nothing else");
    assert_eq!(kinds("eve@example.org"), ["sign_in"]);
    assert_eq!(kinds("ada@example.org"), ["sign_in", "welcome", "sign_in", "password_reset", "sign_in"]);
    let bob = shop.visitor();
    let page = bob.get(&last_link(&shop, "bob@example.org")).must(200);
    bob.press(&page, "/confirm").must(303);
    assert_ne!(bob.get("/v1/me").must(200).json()["id"], "bob", "an account of its own");

    for (name, password) in [("ada@example.org", "wrong words"), ("eve@example.org", "wrong words")] {
        ask(&shop.visitor(), "/login", "/login/password", &[("address", name), ("password", password)]).must(401);
    }
    let arrived = ask(
        &shop.visitor(),
        "/login",
        "/login/password",
        &[("address", " ADA@example.org "), ("password", "four words of no use")],
    );
    arrived.must(303);
}

#[test]
fn a_letter_that_is_opened_elsewhere_says_so_and_brings_no_strangers_password() {
    let shop = shop_with(&[]);
    let mallory = shop.visitor();
    let fields = [("address", "ada@example.org"), ("password", "what mallory knows")];
    ask(&mallory, "/signup", "/signup", &fields).must(200);
    let ada = shop.visitor();
    let page = ada.get(&last_link(&shop, "ada@example.org")).must(200);
    assert!(page.body.contains("another browser") && page.body.contains("does not count"), "{}", page.body);
    ada.press(&page, "/confirm").must(303);
    assert!(ada.get("/account").must(200).body.contains("New password"));
    ada.sign_out();
    let tried = ada.get("/login").must(200);
    assert!(!tried.body.contains("/login/password"), "nobody has a password");

    // The button of a letter needs its own page: no other site presses it.
    ask(&ada, "/login", "/login/mail", &[("address", "ada@example.org")]).must(200);
    let link = last_link(&shop, "ada@example.org");
    let page = ada.get(&link).must(200);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(page.form("/confirm")).finish();
    let cookies = ada.cookies();
    for headers in [&[][..], &[("origin", "https://evil.example")], &[("sec-fetch-site", "cross-site")]] {
        let more = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookies.as_str())];
        Client::new(&shop.till.url, headers).send("POST", "/confirm", &more, body.as_bytes()).must(403);
    }
    mallory.post_form("/confirm", &[("code", link.rsplit('=').next().unwrap())]).must(403);
    ada.press(&page, "/confirm").must(303);
}

#[test]
fn a_new_password_by_letter_ends_every_session_and_older_letters() {
    let shop = shop_with(&[]);
    let there = shop.visitor();
    sign_up(&shop, &there, "ada@example.org", "the first of them");
    let here = shop.visitor();
    ask(&here, "/login", "/login/mail", &[("address", "ada@example.org")]).must(200);
    let older = last_link(&shop, "ada@example.org");
    ask(&here, "/reset", "/reset", &[("address", "ada@example.org")]).must(200);
    let page = here.get(&last_link(&shop, "ada@example.org")).must(200);
    here.fill(&page, "/confirm", &[("password", "short")]).must(400);
    here.fill(&page, "/confirm", &[("password", "ada@example.org")]).must(400);
    let set = here.fill(&page, "/confirm", &[("password", "the second of them")]).must(303);
    assert_eq!(set.header("location"), "/account?done=password");
    there.get("/v1/me").must(401);
    here.get("/v1/me").must(200);
    here.get(&older).must(410);
    for (password, status) in [("the first of them", 401), ("the second of them", 303)] {
        let fields = [("address", "ada@example.org"), ("password", password)];
        ask(&shop.visitor(), "/login", "/login/password", &fields).must(status);
    }
}

#[test]
fn an_address_is_changed_by_its_owner_alone_and_the_old_one_hears() {
    let shop = shop_with(&[]);
    let (ada, mallory) = (shop.visitor(), shop.visitor());
    sign_up(&shop, &ada, "ada@example.org", "");
    sign_up(&shop, &mallory, "mallory@example.org", "");
    // A stranger asks for Ada's new address: whoever reads the letter gives them nothing.
    ask(&mallory, "/account", "/account/address", &[("address", "ada@example.net")]).must(303);
    let theirs = last_link(&shop, "ada@example.net");
    for browser in [&shop.visitor(), &ada] {
        let page = browser.get(&theirs).must(200);
        assert!(page.body.contains("Sign in first") && !page.body.contains("action=\"/confirm\""), "{}", page.body);
    }
    ask(&ada, "/account", "/account/address", &[("address", "ada@example.net")]).must(303);
    let page = ada.get(&last_link(&shop, "ada@example.net")).must(200);
    assert_eq!(ada.press(&page, "/confirm").must(303).header("location"), "/account?done=address");
    assert_eq!(letters(&shop, "ada@example.org").last().unwrap().0, "address_changed");
    assert!(ada.get("/account").must(200).body.contains("ada@example.net"));
    // The former address lets nobody in; the new one does.
    ask(&shop.visitor(), "/login", "/login/mail", &[("address", "ada@example.org")]).must(200);
    assert_eq!(letters(&shop, "ada@example.org").last().unwrap().0, "address_changed");
    // And what is Ada's now becomes nobody else's.
    let page = mallory.get(&theirs).must(200);
    mallory.press(&page, "/confirm").must(403);
}

#[test]
fn addresses_are_read_strictly_and_letters_are_few() {
    let shop = shop_with(&[]);
    let browser = shop.visitor();
    let long = format!("{}@example.org", "x".repeat(250));
    for address in [
        "",
        "ada",
        "ada@localhost",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org, eve@example.org",
        "ada\u{202e}@example.org",
        "\u{1f642}@example.org",
        "\"ada\"@example.org",
        &long,
    ] {
        ask(&browser, "/login", "/login/mail", &[("address", address)]).must(400);
    }
    let csrf = browser.get("/login").must(200).form("/login/mail")[0].1.clone();
    let twice = [("csrf", csrf.as_str()), ("address", "a@example.org"), ("address", "b@example.org")];
    browser.post_form("/login/mail", &twice).must(400);
    browser.post_form("/login/mail", &[("csrf", &csrf), ("address", &"x".repeat(20_000))]).must(413);
    for address in ["ada@example.org", "nobody@example.org"] {
        let answers: Vec<u16> =
            (0..6).map(|_| ask(&browser, "/login", "/login/mail", &[("address", address)]).status).collect();
        assert_eq!(answers, [200, 200, 200, 200, 200, 429], "{address}");
    }
    let refused = ask(&browser, "/login", "/login/mail", &[("address", "ADA@example.org")]).must(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[test]
fn no_page_offers_what_is_not_set_up() {
    let shop = Shop::open();
    let browser = shop.visitor();
    assert!(!browser.get("/login").must(200).body.contains("action=\"/login"));
    assert!(browser.get("/signup").must(200).body.contains("made in the app"));
    browser.get("/reset").must(404);
    shop.user("alice");
    let alice = shop.sign_in("alice");
    assert!(!alice.get("/account").must(200).body.contains("/account/address"));

    let closed = shop_with(&[("SPRITE_SIGNUP", "closed")]);
    let browser = closed.visitor();
    let login = browser.get("/login").must(200);
    assert!(login.body.contains("/login/mail") && !login.body.contains("/signup"), "{}", login.body);
    assert!(!browser.get("/signup").must(200).body.contains("action=\"/signup"));
    let csrf = login.form("/login/mail")[0].1.clone();
    browser.post_form("/signup", &[("csrf", &csrf), ("address", "ada@example.org")]).must(403);
    assert_eq!(letters(&closed, "ada@example.org"), []);
}

/// Where a link that a command printed leads: the command does not know the port.
fn path_of(link: &str) -> &str {
    link.trim().find("/signup").map(|at| &link.trim()[at..]).unwrap()
}

#[test]
fn an_invitation_makes_one_account() {
    let shop = shop_with(&[("SPRITE_SIGNUP", "invite")]);
    let browser = shop.visitor();
    assert!(browser.get("/signup").must(200).body.contains("by invitation"));
    browser.get("/signup?invite=nonsense").must(410);
    let csrf = browser.get("/login").must(200).form("/login/mail")[0].1.clone();
    browser.post_form("/signup", &[("csrf", &csrf), ("address", "ada@example.org")]).must(403);
    let link = shop.till_prints(&["user", "invite", "--address", "Ada@example.org", "--send"]);
    assert_eq!(letters(&shop, "Ada@example.org"), [("invite".to_owned(), link.trim().to_owned())]);
    let link = path_of(&link);
    ask(&browser, link, "/signup", &[("address", "eve@example.org")]).must(403);
    // Asked for twice, used once.
    ask(&browser, link, "/signup", &[("address", "ada@example.org")]).must(200);
    let first = last_link(&shop, "ada@example.org");
    let page = browser.get(&first).must(200);
    browser.press(&page, "/confirm").must(303);
    browser.get("/v1/me").must(200);
    shop.visitor().get(link).must(410);
    let any = shop.till_prints(&["user", "invite"]);
    for address in ["bob@example.org", "carol@example.org"] {
        ask(&shop.visitor(), path_of(&any), "/signup", &[("address", address)]).must(200);
    }
    let (bob, carol) = (shop.visitor(), shop.visitor());
    let page = bob.get(&last_link(&shop, "bob@example.org")).must(200);
    bob.press(&page, "/confirm").must(303);
    let page = carol.get(&last_link(&shop, "carol@example.org")).must(200);
    carol.press(&page, "/confirm").must(403);
    carol.get("/v1/me").must(401);
    assert_eq!(shop.till(&["user", "invite", "--address", "nonsense"]).status.code(), Some(2));
}

#[test]
fn units_of_welcome_come_once_for_each_address_for_ever() {
    let folder = crate::harness::Folder::new();
    let path = folder.path("catalog.toml");
    let catalog = crate::harness::shop::CATALOG.replace("[selling]\n", "[selling]\nwelcome_units = 5\n");
    std::fs::write(&path, catalog).unwrap();
    let shop = shop_with(&[("SPRITE_CATALOG", path.to_str().unwrap())]);
    let browser = shop.visitor();
    assert!(browser.get("/signup").must(200).body.contains("5 pictures"));
    sign_up(&shop, &browser, "ada@example.org", "");
    let me = browser.get("/v1/me").must(200).json();
    let id = me["id"].as_str().unwrap().to_owned();
    assert_eq!(me["units"]["remaining"], 5);
    assert!(shop.ledger(&id)[0].0.starts_with("grant_welcome_"), "{:?}", shop.ledger(&id));
    // Another address of the same account, and the same address of another account: nothing more.
    ask(&browser, "/account", "/account/address", &[("address", "ada@example.net")]).must(303);
    let page = browser.get(&last_link(&shop, "ada@example.net")).must(200);
    browser.press(&page, "/confirm").must(303);
    assert_eq!(shop.remaining(&id), 5);
    let page = browser.get("/account").must(200);
    browser.press(&page, "/account/erase").must(303);
    for address in ["ada@example.org", "ADA@example.net"] {
        let again = shop.visitor();
        sign_up(&shop, &again, address, "");
        assert_eq!(again.get("/v1/me").must(200).json()["units"]["remaining"], 0, "{address}");
    }
    assert_eq!(shop.hand().number("SELECT COUNT(*) FROM welcomes"), 2);
    shop.verify_books();
}

#[test]
fn the_letters_that_a_person_may_refuse_are_chosen_on_the_account_page() {
    let shop = shop_with(&[]);
    let browser = shop.visitor();
    sign_up(&shop, &browser, "ada@example.org", "");
    let ticked = |page: &Answer| page.body.matches("\" checked>").count();
    let page = browser.get("/account").must(200);
    let all = ticked(&page);
    assert!(all > 1, "{}", page.body);
    let csrf = page.form("/account/mail")[0].1.clone();
    browser.post_form("/account/mail", &[("csrf", &csrf), ("low_balance", "yes")]).must(303);
    let page = browser.get("/account?done=mail").must(200);
    assert_eq!(ticked(&page), 1);
    browser.post_form("/account/mail", &[("csrf", &csrf), ("receipt", "no")]).must(303);
    assert_eq!(ticked(&browser.get("/account").must(200)), 0);
}

#[test]
fn erasure_leaves_no_address_of_the_person_and_no_words_about_them() {
    let shop = shop_with(&[]);
    shop.till_prints(&["user", "invite", "--address", "ada@example.org", "--send"]);
    let browser = shop.visitor();
    sign_up(&shop, &browser, "Ada@example.org", "");
    let id = browser.get("/v1/me").must(200).json()["id"].as_str().unwrap().to_owned();
    ask(&browser, "/account", "/account/address", &[("address", "ada@later.example")]).must(303);
    let page = browser.get(&last_link(&shop, "ada@later.example")).must(200);
    browser.press(&page, "/confirm").must(303);
    // Somebody asks for letters to the addresses: the former one has no account now.
    for address in ["ada@example.org", "ada@later.example"] {
        ask(&shop.visitor(), "/signup", "/signup", &[("address", address), ("password", "four words of no use")])
            .must(200);
    }
    ask(&browser, "/account", "/account/tokens", &[("name", "Laptop of the baker")]).must(200);
    let [page, note] = [browser.get("/account").must(200).body, "Sorry for the burnt bread".to_owned()];
    assert!(page.contains("Laptop of the baker"));
    shop.hand().change(&format!(
        "INSERT INTO audit (number, at, actor, action, target, reason)
        SELECT MAX(number) + 1, MAX(at), 'user:op', 'units_granted', '{id}', '{note}' FROM audit"
    ));
    let page = browser.get("/account").must(200);
    browser.press(&page, "/account/erase").must(303);
    let hand = shop.hand();
    let words = ["example.org", "later.example", "Laptop of the baker", &note];
    for table in hand.tables() {
        for text in hand.rows(&format!("SELECT * FROM {table}")).concat() {
            assert!(!words.iter().any(|word| text.to_lowercase().contains(&word.to_lowercase())), "{table}: {text}");
        }
    }
    assert_eq!(hand.number("SELECT COUNT(*) FROM audit WHERE action = 'units_granted'"), 1, "the row itself stays");
    shop.verify_books();
    if !hand.is_in_a_file() {
        return;
    }
    drop(hand);
    let database = shop.database();
    let Shop { till, .. } = shop;
    assert!(till.terminate().success());
    let bytes = std::fs::read(database).unwrap();
    for word in words {
        let is_there = bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
        assert!(!is_there, "{word} is in the file");
    }
}

#[test]
fn a_word_of_the_audit_is_erased_and_never_changed() {
    let shop = shop_with(&[]);
    let hand = shop.hand();
    hand.run("INSERT INTO audit (number, at, actor, action, detail, reason) SELECT MAX(number) + 1, MAX(at), 'cli', 'x', 'y', 'z' FROM audit");
    for change in ["detail = 'other'", "reason = 'other'", "action = 'other'", "actor = 'other'", "target = NULL"] {
        let said = hand.attempt(&format!("UPDATE audit SET {change} WHERE action = 'x'")).unwrap_err();
        assert!(said.contains("audit rows are never changed"), "{change}: {said}");
    }
    hand.run("UPDATE audit SET detail = NULL, reason = NULL WHERE action = 'x'");
}
