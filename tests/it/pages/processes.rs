//! Two processes on one database, either of which gets the next request: a person and a program notice nothing of it.

use std::thread;

use serde_json::json;

use super::passkeys::{add, asked, shop_with};
use super::second_factor::{Phone, set_up};
use crate::harness::{Client, Shop, Till, is_about_a_server};

const PASSWORD: &str = "four words of no use";

/// A second process beside the shop's own, for the same people, and where a proxy reaches it.
fn second(shop: &Shop) -> (Till, String) {
    let mut variables = shop.variables().clone();
    variables.insert("SPRITE_BASE_URL".to_owned(), shop.till.url.clone());
    variables.insert("SPRITE_LISTEN".to_owned(), "127.0.0.1:0".to_owned());
    let till = Till::start(&variables);
    let ready = till.wait_for_log("ready", |line| line["event"] == "ready");
    let address = format!("http://{}", ready["listen"].as_str().unwrap());
    (till, address)
}

fn who(browser: &Client) -> String {
    browser.get("/v1/me").must(200).json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_browser_begins_at_one_process_it_finishes_at_another() {
    if is_about_a_server() {
        return;
    }
    let shop = shop_with("alice");
    let (_second, there) = second(&shop);
    let here = shop.till.url.clone();

    // A link is opened here, its button pressed there, and the session is good at both until it is ended at one.
    let (link, visitor) = (shop.login_link("alice"), shop.visitor());
    let page = visitor.get(&link).must(200);
    let signed_in = visitor.at(&there);
    signed_in.press(&page, "/login").must(303);
    assert_eq!((who(&signed_in), who(&signed_in.at(&here))), ("alice".to_owned(), "alice".to_owned()));
    let page = signed_in.at(&here).get("/account").must(200);
    signed_in.fill(&page, "/account/name", &[("name", "Ada")]).must(303);
    assert!(signed_in.at(&here).get("/account").must(200).body.contains("value=\"Ada\""));
    signed_in.sign_out();
    signed_in.at(&here).get("/v1/me").must(401);

    // A passkey is asked for at one, and made and used at the other; an answer counts once, wherever it comes first.
    let browser = shop.sign_in("alice");
    let elsewhere = browser.at(&there);
    let phone = add(&browser, &shop, "phone");
    let page = elsewhere.get("/account").must(200);
    let made = crate::harness::authenticator::Authenticator::new();
    let answer = made.make(&asked(&browser, &page, "/account/passkeys"), &here);
    elsewhere.fill(&page, "/account/passkeys", &[("answer", &answer), ("name", "key")]).must(303);
    browser.fill(&page, "/account/passkeys", &[("answer", &answer), ("name", "key")]).must(400);
    let visitor = shop.visitor();
    let page = visitor.get("/login").must(200);
    let answer = phone.sign(&asked(&visitor, &page, "/login/passkey"), &here);
    let both = [visitor.at(&here), visitor.at(&there)];
    let mut statuses = thread::scope(|scope| {
        let tries = both.each_ref().map(|browser| {
            let (page, answer) = (&page, &answer);
            scope.spawn(move || browser.fill(page, "/login/passkey", &[("answer", answer)]).status)
        });
        tries.map(|try_it| try_it.join().unwrap())
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 401]);

    // An app is set up and asked for a code, from one process to the other.
    shop.set_password("alice", PASSWORD);
    let browser = shop.visitor();
    let page = browser.get("/login").must(200);
    let answer = phone.sign(&asked(&browser, &page, "/login/passkey"), &here);
    browser.fill(&page, "/login/passkey", &[("answer", &answer)]).must(303);
    let page = browser.get("/account").must(200);
    let shown = browser.press(&page, "/account/second-factor").must(200);
    let phone = Phone::of(&shown);
    browser.at(&there).fill(&shown, "/account/second-factor/confirm", &[("code", &phone.code(-1))]).must(303);
    let visitor = shop.visitor();
    let page = visitor.get("/login").must(200);
    let typed = [("address", "alice"), ("password", PASSWORD)];
    assert_eq!(visitor.fill(&page, "/login/password", &typed).must(303).header("location"), "/login/second");
    let elsewhere = visitor.at(&there);
    let page = elsewhere.get("/login/second").must(200);
    elsewhere.fill(&page, "/login/second", &[("code", "000000")]).must(401);
    elsewhere.fill(&page, "/login/second", &[("code", &phone.code(0))]).must(303);
    assert_eq!(who(&elsewhere.at(&here)), "alice");

    // What is kept of it says nothing to who reads the database.
    let everything = shop.hand().rows("SELECT * FROM steps").concat().join(" ");
    assert!(!everything.contains("alice") && !everything.contains(&till::id::hex(b"$argon2")), "{everything}");
}

#[test]
fn a_key_counts_once_and_a_balance_is_never_old_whichever_process_is_asked() {
    if is_about_a_server() {
        return;
    }
    let shop = shop_with("alice");
    shop.give("alice", 1_000);
    let (_second, there) = second(&shop);
    let here = shop.till.url.clone();
    let (browser, path) = (shop.sign_in("alice"), "/v1/users/alice/spends");
    let programs = [&here, &there].map(|origin| Client::program(origin, shop.token()));
    let mut left = 1_000;
    for round in 0..20 {
        let key = format!("job {round}");
        let spend = |program: &Client| program.call_once(path, &key, &json!({"units": 7})).must(201);
        let answers = thread::scope(|scope| {
            let calls = [0, 1, 0, 1].map(|at: usize| {
                let (program, spend) = (&programs[at], &spend);
                scope.spawn(move || spend(program))
            });
            calls.map(|call| call.join().unwrap())
        });
        left -= 7;
        let first = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
        assert!(first == 1 && answers.iter().all(|answer| answer.body == answers[0].body), "{answers:?}");
        let shown = programs.each_ref().map(|program| program.get("/v1/users/alice").must(200));
        assert_eq!(shown[0].header("etag"), shown[1].header("etag"), "what one said is known at the other");
        assert_eq!(shown[1].json()["units"]["remaining"], left);
        // Each process has shown the page before; a spend at the other makes it another.
        let other = &programs[round % 2];
        other.call_once(path, &format!("more {round}"), &json!({"units": 1})).must(201);
        left -= 1;
        let page = browser.at([&there, &here][round % 2]).get("/dashboard").must(200);
        assert!(page.body.contains(&format!("{left}</")), "{left}: {}", page.body);
    }
    shop.verify_books();
}

#[test]
fn guesses_at_two_processes_are_counted_together() {
    if is_about_a_server() {
        return;
    }
    let shop = shop_with("alice");
    shop.set_password("alice", PASSWORD);
    let (_second, there) = second(&shop);
    let browsers = [shop.visitor(), shop.visitor().at(&there)];
    let pages = browsers.each_ref().map(|browser| browser.get("/login").must(200));
    let guess = |at: usize, password: &str| {
        let typed = [("address", "alice"), ("password", password)];
        browsers[at].fill(&pages[at], "/login/password", &typed)
    };
    let statuses: Vec<u16> = (0..14).map(|round| guess(round % 2, "wrong wrong wrong").status).collect();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!(refused >= 2 && statuses[..10].iter().all(|status| *status == 401), "{statuses:?}");
    for at in [0, 1] {
        assert!(guess(at, PASSWORD).must(429).header("retry-after").parse::<u64>().unwrap() > 0);
    }
    let buckets = shop.hand().number("SELECT COUNT(*) FROM attempts");
    assert!(buckets >= 1, "{buckets}");
    // Codes are counted with the account, and letters with the address.
    shop.user("bob");
    let owner = shop.sign_in("bob");
    let phone = set_up(&owner);
    let page = owner.get("/login/second?return_to=/account").must(200);
    let wrong = |at: usize| {
        let browser = if at == 0 { owner.at(&shop.till.url) } else { owner.at(&there) };
        browser.fill(&page, "/login/second", &[("code", "000000")]).status
    };
    let statuses: Vec<u16> = (0..12).map(|round| wrong(round % 2)).collect();
    assert!(statuses.contains(&429) && statuses[0] == 401, "{statuses:?}");
    owner.at(&there).fill(&page, "/login/second", &[("code", &phone.code(0))]).must(429);
}
