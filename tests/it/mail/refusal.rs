//! People refuse a kind of letter, and operators turn one off.

use serde_json::json;
use till::catalog::MailKind;
use till::mail::letter::Letter;
use till::usecase::mail::{Queueing, Recipient, choices, choose, queue};

use super::FROM;
use crate::harness::life::Life;
use crate::harness::mail_server::{MailServer, PLAIN, header};
use crate::harness::{Shop, shop};

/// A shop with somebody whose balance is low; the path of the link in the letter about it.
fn told(server: &MailServer) -> (Shop, String) {
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let shop = Shop::open_with(&[("SPRITE_SMTP_URL", url.as_str()), ("SPRITE_MAIL_FROM", FROM)]);
    shop.api.call("PUT", "/v1/users/alice", &json!({"email": "alice@example.org"})).must(201);
    shop.give("alice", 20);
    shop.api.call_once("/v1/users/alice/spends", "first", &json!({"units": 15})).must(201);
    let mail = server.wait_for(1).remove(0);
    let link = header(&mail, "list-unsubscribe");
    let link = link.trim_start_matches('<').trim_end_matches('>').to_owned();
    assert!(mail["text"].as_str().unwrap().contains(&link) && mail["html"].as_str().unwrap().contains("/unsubscribe"));
    let path = link.strip_prefix(&shop.till.url).unwrap().to_owned();
    (shop, path)
}

/// Another low balance, and a receipt after it, which nobody refuses: then no low balance is on its way.
fn low_again(shop: &Shop, server: &MailServer) -> Vec<String> {
    shop.give("alice", 20);
    shop.api.call_once("/v1/users/alice/spends", "again", &json!({"units": 20})).must(201);
    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", shop::GOOD_CARD)]);
    server.wait_for(2)[1..].iter().map(|mail| header(mail, "subject")).collect()
}

#[test]
fn a_mail_program_refuses_by_one_press_without_a_session() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let (shop, link) = told(&server);
    let program = shop.visitor();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for _ in 0..2 {
        program.send("POST", &link, &form, b"List-Unsubscribe=One-Click").must(200);
    }
    assert_eq!(low_again(&shop, &server), ["Your receipt from till: 100 pictures"]);
    let audit = shop.till_prints(&["audit", "list", "--json"]);
    assert_eq!(audit.matches("mail_refused").count(), 1, "{audit}");
}

#[test]
fn a_reader_refuses_by_the_page_and_looking_at_it_refuses_nothing() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let (shop, link) = told(&server);
    let browser = shop.visitor();
    let page = browser.get(&link).must(200);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.body.contains("No more emails about a low balance"), "{}", page.body);
    let audit = || shop.till_prints(&["audit", "list", "--json"]).matches("mail_refused").count();
    assert_eq!(audit(), 0);
    let done = browser.press(&page, &link).must(200);
    assert!(done.body.contains("Noted"), "{}", done.body);
    assert_eq!(audit(), 1);
    assert_eq!(low_again(&shop, &server), ["Your receipt from till: 100 pictures"]);
}

#[test]
fn a_token_that_was_changed_refuses_nothing() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let (shop, link) = told(&server);
    let (path, token) = link.split_once('=').unwrap();
    let code = token.rsplit('.').next().unwrap();
    for other in [
        String::new(),
        "x".to_owned(),
        format!("2.low_balance.{code}"),
        format!("1.units_expire.{code}"),
        format!("1.receipt.{code}"),
        format!("1.low_balance.{}", code.to_uppercase()),
        format!("1.low_balance.{}", &code[1..]),
        format!("01.low_balance.{}0", &code[1..]),
    ] {
        let link = format!("{path}={other}");
        shop.visitor().get(&link).must(404);
        shop.visitor().send("POST", &link, &[], b"").must(404);
    }
    let subjects = low_again(&shop, &server);
    assert_eq!(subjects[0], "5 pictures left at till");
}

#[test]
fn a_person_chooses_among_the_kinds_that_are_sent_and_may_be_refused() {
    let catalog = shop::CATALOG.replace("[mail]", "[mail]\nunits_expire = false\nreceipt = false");
    let life = Life::begin_mailing("http://127.0.0.1:1", "smtp://127.0.0.1:1", FROM, Some(&catalog));
    let wanted = || -> Vec<(MailKind, bool)> {
        choices(&life.app, 1).unwrap().iter().map(|choice| (choice.kind, choice.is_wanted)).collect()
    };
    let all = [(MailKind::Welcome, true), (MailKind::PlanEnds, true), (MailKind::LowBalance, true)];
    assert_eq!(wanted(), all);
    choose(&life.app, 1, MailKind::PlanEnds, false).unwrap();
    choose(&life.app, 1, MailKind::SignIn, false).unwrap();
    assert_eq!(wanted(), [all[0], (MailKind::PlanEnds, false), all[2]]);
    let write = |reason: &str, letter: Letter| {
        let (now, recipient) = (life.app.clock.now(), Recipient::at(Some(1), "alice@example.org"));
        let reason = reason.to_owned();
        life.app.store.write(move |tx| queue(tx, now, &recipient, &reason, &letter)).unwrap()
    };
    let ends = || Letter::PlanEnds { plan: "Starter".to_owned(), at: 0, has_ended: true };
    assert_eq!(write("a", ends()), Queueing::Unwanted);
    assert_eq!(write("b", super::sign_in("https://till.example.org/x")), Queueing::Queued);
    choose(&life.app, 1, MailKind::PlanEnds, true).unwrap();
    assert_eq!((wanted(), write("a", ends())), (all.to_vec(), Queueing::Queued));
}
