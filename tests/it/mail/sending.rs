//! Letters leave the outbox: once, again after a refusal that may pass, and never after one that does not.

use std::collections::BTreeSet;

use till::clock::DAY_SECONDS;
use till::mail::letter::Letter;
use till::usecase::mail::{Queueing, deliver};

use super::{life, send_due, sign_in, write};
use crate::harness::life::Life;
use crate::harness::log;
use crate::harness::mail_server::{MailServer, PLAIN, header};
use crate::harness::{Hand, postgres};

const SECRET_URL: &str = "https://till.example.org/login?token=s3cr3tt0k3nthatmustnotstay";

fn advance(life: &Life, seconds: i64) {
    life.clock.set(life.clock.now().plus_seconds(seconds));
}

#[test]
fn a_letter_is_written_once_for_its_reason_and_sent_once() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let life = life(&server);
    let welcome = Letter::Welcome {};
    assert_eq!(write(&life.app, "ada@example.org", "welcome_1", &welcome), Queueing::Queued);
    assert_eq!(write(&life.app, "ada@example.org", "welcome_1", &welcome), Queueing::Known);
    assert_eq!((send_due(&life.app), send_due(&life.app)), (1, 0));
    assert_eq!(write(&life.app, "ada@example.org", "welcome_1", &welcome), Queueing::Known);
    assert_eq!(send_due(&life.app), 0);
    let mails = server.wait_for(1);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["to"][0], "ada@example.org");
    assert_eq!(mails[0]["from"], "billing@example.com");
    assert_eq!(header(&mails[0], "from"), "Pictures <billing@example.com>");
    assert_eq!(header(&mails[0], "auto-submitted"), "auto-generated");
    let text = mails[0]["text"].as_str().unwrap();
    assert!(text.contains("Powered by till") && text.contains("/dashboard"), "{text}");
    let html = mails[0]["html"].as_str().unwrap();
    assert!(!html.contains("<img") && !html.contains("src=") && !html.contains("@import"), "{html}");
    assert_eq!(deliver::count(&life.app).unwrap(), (0, 0));
}

#[test]
fn a_refusal_that_may_pass_is_tried_again_and_one_for_good_is_not() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let life = life(&server);
    for address in ["later@example.org", "never@example.org", "cut@example.org", "fine@example.org"] {
        write(&life.app, address, address, &Letter::Welcome {});
    }
    assert_eq!(send_due(&life.app), 4);
    assert_eq!(deliver::count(&life.app).unwrap(), (2, 1), "two wait, one is given up");
    assert_eq!(send_due(&life.app), 0, "not at once");
    advance(&life, 60);
    assert_eq!(send_due(&life.app), 2);
    let mut to: Vec<String> =
        server.wait_for(3).iter().map(|mail| mail["to"][0].as_str().unwrap().to_owned()).collect();
    to.sort_unstable();
    assert_eq!(to, ["cut@example.org", "fine@example.org", "later@example.org"]);
    assert_eq!(deliver::count(&life.app).unwrap(), (0, 1));
    let metrics = life.app.metrics.text().unwrap();
    for line in [
        r#"till_mails_total{kind="welcome",status="sent"} 3"#,
        r#"till_mails_total{kind="welcome",status="delayed"} 2"#,
        r#"till_mails_total{kind="welcome",status="failed"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn a_letter_is_given_up_after_a_day_and_one_with_a_link_when_the_link_ends() {
    let nobody = Life::begin_mailing("http://127.0.0.1:1", "smtp://127.0.0.1:1", super::FROM, None);
    let begin = nobody.clock.now();
    write(&nobody.app, "ada@example.org", "welcome_1", &Letter::Welcome {});
    write(&nobody.app, "ada@example.org", "sign_in_1", &sign_in(SECRET_URL));
    let mut open = vec![];
    while nobody.clock.now() <= begin.plus_seconds(2 * DAY_SECONDS) {
        send_due(&nobody.app);
        let waiting = deliver::count(&nobody.app).unwrap().0;
        open.push((nobody.clock.now().seconds() - begin.seconds(), waiting));
        advance(&nobody, 60);
    }
    let end_of = |count: i64| open.iter().find(|(_, waiting)| *waiting <= count).unwrap().0;
    assert!((600..=660).contains(&end_of(1)), "the link's letter ended after {} s", end_of(1));
    assert!((86_400..=86_460).contains(&end_of(0)), "the other ended after {} s", end_of(0));
    assert_eq!(deliver::count(&nobody.app).unwrap(), (0, 2));
}

#[test]
fn a_link_is_neither_in_the_log_nor_in_the_database_once_its_letter_is_sent_or_given_up() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let life = life(&server);
    log::capture();
    for address in ["discreet@example.org", "never@example.org", "quoting@example.org"] {
        write(&life.app, address, address, &sign_in(SECRET_URL));
    }
    assert_eq!(send_due(&life.app), 3);
    let lines = log::captured();
    assert!(server.wait_for(1)[0]["text"].as_str().unwrap().contains(SECRET_URL));
    assert_eq!(deliver::count(&life.app).unwrap(), (0, 2));
    assert!(lines.contains("mail_given_up"), "{lines}");
    for secret in ["s3cr3t", "discreet@example.org"] {
        assert!(!lines.contains(secret), "{lines}");
    }
    let folder = life.close();
    let bytes = match postgres::is_chosen() {
        true => Hand::open(&folder.database("till.db")).everything().join("\n").into_bytes(),
        false => std::fs::read(folder.path("till.db")).unwrap(),
    };
    assert!(!bytes.windows(6).any(|window| window == b"s3cr3t"), "the database holds the link");
    assert!(bytes.windows(7).any(|window| window == b"sign_in"), "and it is the right one");
}

#[test]
fn nobody_is_flooded() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let life = life(&server);
    let ask =
        |number: usize, address: &str| write(&life.app, address, &format!("sign_in_{number}"), &sign_in(SECRET_URL));
    for number in 0..10 {
        assert_eq!(ask(number, "ada@example.org"), Queueing::Queued);
    }
    assert_eq!(ask(10, "ADA@example.org"), Queueing::TooMany);
    assert_eq!(ask(11, "bob@example.org"), Queueing::Queued);
    assert_eq!(write(&life.app, "ada@example.org", "welcome", &Letter::Welcome {}), Queueing::Queued);
    advance(&life, DAY_SECONDS + 1);
    assert_eq!(ask(12, "ada@example.org"), Queueing::Queued);
}

#[test]
fn no_address_and_no_name_writes_a_header_of_its_own() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let catalog = crate::harness::shop::CATALOG
        .replace("[shop]", "[shop]\nname = 'Fuchs \"& Söhne\", GmbH'\nsupport = \"help@example.com\"");
    let life = Life::begin_mailing("http://127.0.0.1:1", &url, "billing@example.com", Some(&catalog));
    for odd in [
        "a\r\nBcc: eve@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org\nSubject: x",
        "\"a b\"@example.org",
        "<ada@example.org>",
        "ada@example.org, eve@example.org",
        "ada@exa mple.org",
        "ada",
        "@example.org",
        "",
        &format!("{}@example.org", "a".repeat(400)),
    ] {
        assert_eq!(write(&life.app, odd, odd, &Letter::Welcome {}), Queueing::NoAddress, "{odd:?}");
    }
    let sound = ["o'brien+till@example.org", "x@bücher.example", "ünal@example.org", "a!#$%&*/=?^_`{|}~-@example.org"];
    for address in sound {
        assert_eq!(write(&life.app, address, address, &Letter::Welcome {}), Queueing::Queued, "{address}");
    }
    let changed = Letter::AddressChanged { new_address: "x\r\nBcc: eve@example.org".to_owned() };
    write(&life.app, "old@example.org", "changed", &changed);
    assert_eq!(send_due(&life.app), 5);
    let mails = server.wait_for(5);
    // What is written within one millisecond, and to no account, goes in any order.
    let to: BTreeSet<&str> = mails.iter().map(|mail| mail["to"][0].as_str().unwrap()).collect();
    let expected = [sound[0], "x@xn--bcher-kva.example", sound[2], sound[3], "old@example.org"];
    assert_eq!(to, expected.into());
    for mail in &mails {
        assert_eq!(mail["to"].as_array().unwrap().len(), 1);
        assert_eq!(header(mail, "bcc"), "");
        assert_eq!(header(mail, "reply-to"), "help@example.com");
        assert!(header(mail, "from").contains("Söhne") && header(mail, "from").ends_with("<billing@example.com>"));
        assert!(mail["longest_line"].as_u64().unwrap() <= 998, "{mail}");
        assert!(!mail["html"].as_str().unwrap().contains("\"& S"), "escaped");
    }
    let welcome = mails.iter().find(|mail| mail["to"][0] == sound[0]).unwrap();
    assert!(header(welcome, "subject").contains("Fuchs \"& Söhne\", GmbH"), "{welcome}");
}

#[test]
fn what_is_old_is_not_sent_after_a_long_stop() {
    let Some(server) = MailServer::start(PLAIN, None) else { return };
    let life = life(&server);
    write(&life.app, "ada@example.org", "welcome", &Letter::Welcome {});
    write(&life.app, "bob@example.org", "sign_in", &sign_in(SECRET_URL));
    advance(&life, 2 * DAY_SECONDS);
    write(&life.app, "cat@example.org", "welcome_2", &Letter::Welcome {});
    assert_eq!(send_due(&life.app), 3);
    let to: Vec<String> = server.wait_for(2).iter().map(|mail| mail["to"][0].as_str().unwrap().to_owned()).collect();
    assert_eq!(to, ["ada@example.org", "cat@example.org"], "the link has ended");
    assert_eq!(deliver::count(&life.app).unwrap(), (0, 1));
}
