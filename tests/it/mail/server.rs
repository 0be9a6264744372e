//! The conversation with the mail server: encrypted, signed in, bounded in time, and of no concern to anything else.

use serde_json::Value;
use till::mail::letter::Letter;
use till::usecase::mail::deliver;

use super::{FROM, send_due, write};
use crate::harness::life::Life;
use crate::harness::mail_server::{MailServer, PLAIN, STARTTLS, TLS, header, silent_server};
use crate::harness::{Shop, eventually, log};

/// The variables of a shop that hands its letters to this server.
fn variables(url: &str) -> Vec<(&'static str, String)> {
    vec![("SPRITE_SMTP_URL", url.to_owned()), ("SPRITE_MAIL_FROM", FROM.to_owned())]
}

fn open(url: &str, authority: Option<&MailServer>) -> Shop {
    let mut variables = variables(url);
    if let Some(server) = authority {
        variables.push(("SSL_CERT_FILE", server.authority().to_str().unwrap().to_owned()));
    }
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Shop::open_with(&variables)
}

fn mailed_user(shop: &Shop, id: &str, email: &str) {
    shop.api.call("PUT", &format!("/v1/users/{id}"), &serde_json::json!({ "email": email })).must(201);
}

/// The line of `till check` about mail; nothing where there is none.
fn check(shop: &Shop) -> Option<Value> {
    let printed = shop.till(&["check", "--json"]);
    let found: Value = serde_json::from_slice(&printed.stdout).unwrap();
    found["data"].as_array().unwrap().iter().find(|row| row["what"] == "mail").cloned()
}

#[test]
fn letters_go_over_starttls_and_over_tls_to_a_server_that_an_authority_of_ours_vouches_for() {
    for (tls, scheme, query) in [(STARTTLS, "smtp", "?tls=starttls"), (TLS, "smtps", "")] {
        let Some(server) = MailServer::start(tls, Some(["till@example.com", "p@ss/w:rd+"])) else { return };
        let (port, credentials) = (server.port, "till%40example.com:p%40ss%2Fw%3Ard+");
        let shop = open(&format!("{scheme}://{credentials}@localhost:{port}{query}"), Some(&server));
        mailed_user(&shop, "alice", "alice@example.org");
        shop.give("alice", 20);
        shop.api.call_once("/v1/users/alice/spends", "s", &serde_json::json!({"units": 15})).must(201);
        let mails = server.wait_for(1);
        assert_eq!(mails[0]["is_encrypted"], true, "{tls}");
        assert_eq!(mails[0]["user"], "till@example.com");
        assert_eq!(mails[0]["to"][0], "alice@example.org");
        assert_eq!(header(&mails[0], "subject"), "5 pictures left at till");
        let line = check(&shop).unwrap();
        assert_eq!(line["is_good"], true, "{line}");
        assert_eq!(server.wait_for(2)[1]["to"][0], "billing@example.com");
        assert!(!shop.till.log().contains("p@ss"), "no password in the log");
    }
}

#[test]
fn a_server_that_nobody_vouches_for_gets_no_letter_and_no_password() {
    let Some(server) = MailServer::start(STARTTLS, Some(["u", "p"])) else { return };
    let Some(other) = MailServer::start(STARTTLS, None) else { return };
    let Some(without) = MailServer::start(PLAIN, None) else { return };
    for (port, says) in [(server.port, "certificate"), (without.port, "STARTTLS is not supported")] {
        let shop = open(&format!("smtp://u:p@localhost:{port}?tls=starttls"), Some(&other));
        let line = check(&shop).unwrap();
        assert_eq!(line["is_good"], false);
        assert!(line["detail"].as_str().unwrap().contains(says), "{line}");
    }
    let wrong = open(&format!("smtp://u:wrong@localhost:{}?tls=starttls", server.port), Some(&server));
    mailed_user(&wrong, "alice", "alice@example.org");
    wrong.give("alice", 20);
    wrong.api.call_once("/v1/users/alice/spends", "s", &serde_json::json!({"units": 15})).must(201);
    let line = wrong.till.wait_for_log("the refusal", |line| line["event"] == "mail_not_sent");
    assert!(line["said"].as_str().unwrap().contains("535"), "{line}");
    assert!(check(&wrong).unwrap()["detail"].as_str().unwrap().contains("535"));
    assert!(
        wrong.till_prints(&["status"]).contains("letters: 1 waiting, 0 given up"),
        "it waits for the right password"
    );
    assert!(server.mails().is_empty() && without.mails().is_empty());
}

#[test]
fn a_silent_server_holds_up_neither_requests_nor_the_end_of_the_process() {
    let (port, came) = silent_server();
    let mut shop = open(&format!("smtp://127.0.0.1:{port}"), None);
    mailed_user(&shop, "alice", "alice@example.org");
    shop.give("alice", 20);
    shop.api.call_once("/v1/users/alice/spends", "s", &serde_json::json!({"units": 15})).must(201);
    eventually("the silent server is asked", || (*came.lock().unwrap() > 0).then_some(()));
    // While it is: everything else goes on.
    shop.api.get("/v1/users/alice").must(200);
    shop.give("alice", 1);
    assert!(shop.till_prints(&["status"]).contains("letters: 1 waiting"));
    shop.till.ask_to_stop();
    assert!(shop.till.wait_for_end().success());
    let line = shop.till.log();
    assert!(!line.contains("mail_not_sent"), "it ended before the server's time was over: {line}");
}

#[test]
fn the_time_of_a_server_that_does_not_answer_ends() {
    let (port, _) = silent_server();
    let life = Life::begin_mailing("http://127.0.0.1:1", &format!("smtp://127.0.0.1:{port}"), FROM, None);
    write(&life.app, "ada@example.org", "welcome", &Letter::Welcome {});
    log::capture();
    assert_eq!(send_due(&life.app), 1);
    assert!(log::captured().contains("the mail server did not answer within 10 s"), "{}", log::captured());
    assert_eq!(deliver::count(&life.app).unwrap(), (1, 0));
}

#[test]
fn without_a_mail_server_nothing_is_written_and_nothing_is_said() {
    let shop = Shop::open();
    mailed_user(&shop, "alice", "alice@example.org");
    shop.give("alice", 20);
    shop.api.call_once("/v1/users/alice/spends", "s", &serde_json::json!({"units": 15})).must(201);
    shop.till.wait_for_log("the low balance", |line| line["event"] == "low_balance");
    let status: Value = serde_json::from_str(&shop.till_prints(&["status", "--json"])).unwrap();
    assert_eq!((&status["mails_waiting"], &status["mails_given_up"]), (&Value::from(0), &Value::from(0)));
    assert!(check(&shop).is_none());
}
