//! The tables of people: sessions, addresses, identities, passwords, codes and invitations. Their statements run, and no row
//! breaks a rule of its table.

use till::email::Email;
use till::store::attempts::{self, Bucket};
use till::store::codes::{self, Code, CodePurpose, Invite};
use till::store::passkeys::{self, PasskeyRecord};
use till::store::second_factors::{self, SecondFactor};
use till::store::sessions::{self, NewSession, SignInMethod};
use till::store::steps::{self, StepPurpose};
use till::store::{erasure, identities, mails, open_events, orders};

use super::statements::{Row, each_runs};
use super::{Books, NOW, add_user};

/// A session of the first account.
pub fn session() -> NewSession {
    NewSession {
        hash: [3; 32],
        account: 1,
        method: SignInMethod::Link,
        address: Some("192.0.2.1".into()),
        agent: Some("a browser".into()),
        created_at: NOW,
        idle_seconds: 10,
        expires_at: NOW.plus_seconds(10),
        second_factor_at: None,
    }
}

fn passkey() -> PasskeyRecord {
    PasskeyRecord { credential: vec![1; 16], handle: [2; 16], transports: 1, public_key: vec![3; 33], state: [4; 7] }
}

fn factor() -> SecondFactor {
    SecondFactor { secret: [5; 20], last_step: 1, confirmed_at: NOW }
}

fn code() -> Code {
    Code {
        purpose: CodePurpose::SignUp,
        account: None,
        address: "ada@example.org".into(),
        browser: Some([9; 32]),
        password: None,
        invite: Some([8; 32]),
        created_at: NOW,
        expires_at: NOW.plus_seconds(600),
    }
}

fn bucket(number: u8) -> Bucket {
    Bucket { key: [number; 32], size: 3, refill_millis: 1_000 }
}

fn email() -> Email {
    Email::parse("Ada@example.org").unwrap()
}

const EACH: &[Row] = &[
    ("users", |tx| add_user(tx, 0)),
    ("open_events::by_customer", |tx| open_events::by_customer(tx, 10).map(drop)),
    ("steps::keep", |tx| steps::keep(tx, &[6; 32], StepPurpose::Code, &[0; 28], NOW)),
    ("steps::find", |tx| steps::find(tx, &[6; 32], StepPurpose::Code, NOW).map(drop)),
    ("steps::take", |tx| steps::take(tx, &[6; 32], StepPurpose::Code, NOW).map(drop)),
    ("steps::remove_ended", |tx| steps::remove_ended(tx, NOW).map(drop)),
    ("attempts::take", |tx| attempts::take(tx, &[bucket(7)], NOW).map(drop)),
    ("attempts::take again", |tx| attempts::take(tx, &[bucket(7)], NOW).map(drop)),
    ("attempts::remove_full", |tx| attempts::remove_full(tx, NOW).map(drop)),
    ("sessions::add", |tx| sessions::add(tx, &session())),
    ("sessions::find", |tx| sessions::find(tx, &[3; 32], NOW).map(drop)),
    ("sessions::open_of", |tx| sessions::open_of(tx, 1, NOW).map(drop)),
    ("sessions::used", |tx| sessions::used(tx, 1, NOW.plus_seconds(60))),
    ("sessions::end", |tx| sessions::end(tx, &[4; 32], NOW)),
    ("sessions::end_one", |tx| sessions::end_one(tx, 1, 9, NOW).map(drop)),
    ("sessions::end_all", |tx| sessions::end_all(tx, 1, Some(1), NOW).map(drop)),
    ("sessions::end_all without exception", |tx| sessions::end_all(tx, 1, None, NOW).map(drop)),
    ("identities::set_address", |tx| identities::set_address(tx, 1, &email(), NOW).map(drop)),
    ("identities::by_address", |tx| identities::by_address(tx, "ada@example.org").map(drop)),
    ("identities::address_of", |tx| identities::address_of(tx, 1).map(drop)),
    ("identities::add_identity", |tx| identities::add_identity(tx, "proxy", "ada", 1, NOW).map(drop)),
    ("identities::by_identity", |tx| identities::by_identity(tx, "proxy", "ada").map(drop)),
    ("identities::identities_of", |tx| identities::identities_of(tx, 1).map(drop)),
    ("identities::set_password", |tx| identities::set_password(tx, 1, "$argon2id$a", NOW)),
    ("identities::rehash_password", |tx| identities::rehash_password(tx, 1, "$argon2id$a", "$argon2id$b")),
    ("identities::password_of", |tx| identities::password_of(tx, 1).map(drop)),
    ("identities::has_passwords", |tx| identities::has_passwords(tx).map(drop)),
    ("sessions::prove_second_factor", |tx| sessions::prove_second_factor(tx, 1, NOW)),
    ("passkeys::add", |tx| passkeys::add(tx, 1, "my phone", &passkey(), NOW).map(drop)),
    ("passkeys::find", |tx| passkeys::find(tx, &[1; 16]).map(drop)),
    ("passkeys::of_account", |tx| passkeys::of_account(tx, 1).map(drop)),
    ("passkeys::are_there_any", |tx| passkeys::are_there_any(tx).map(drop)),
    ("passkeys::used", |tx| passkeys::used(tx, 1, &[4; 7], &[5; 7], NOW).map(drop)),
    ("passkeys::rename", |tx| passkeys::rename(tx, 1, 1, "my key").map(drop)),
    ("passkeys::remove", |tx| passkeys::remove(tx, 1, 1).map(drop)),
    ("passkeys::remove_of", |tx| passkeys::remove_of(tx, 1)),
    ("second_factors::add", |tx| second_factors::add(tx, 1, &factor()).map(drop)),
    ("second_factors::find", |tx| second_factors::find(tx, 1).map(drop)),
    ("second_factors::use_step", |tx| second_factors::use_step(tx, 1, 2).map(drop)),
    ("second_factors::remove", |tx| second_factors::remove(tx, 1).map(drop)),
    ("codes::add", |tx| codes::add(tx, &[5; 32], &code())),
    ("codes::find", |tx| codes::find(tx, &[5; 32], NOW).map(drop)),
    ("codes::take", |tx| codes::take(tx, &[5; 32], NOW).map(drop)),
    ("codes::end_all", |tx| codes::end_all(tx, 1, NOW)),
    ("codes::count_open", |tx| codes::count_open(tx, NOW, 10).map(drop)),
    ("codes::add_invite", |tx| codes::add_invite(tx, &[6; 32], &Invite { address: None, expires_at: NOW }, NOW)),
    ("codes::find_invite", |tx| codes::find_invite(tx, &[6; 32], NOW).map(drop)),
    ("holds::of_account", |tx| till::store::holds::of_account(tx, 1, 10).map(drop)),
    ("orders::of_account", |tx| till::store::orders::of_account(tx, 1, 10).map(drop)),
    ("codes::invites_to", |tx| codes::invites_to(tx, "ada@example.org").map(drop)),
    ("codes::take_invite", |tx| codes::take_invite(tx, &[6; 32], NOW).map(drop)),
    ("codes::address_salt", |tx| codes::address_salt(tx, &[1; 32]).map(drop)),
    ("codes::claim_welcome", |tx| codes::claim_welcome(tx, &[2; 32], NOW).map(drop)),
    ("codes::remove_of", |tx| codes::remove_of(tx, 1)),
    ("codes::remove_to", |tx| codes::remove_to(tx, "ada@example.org")),
    ("mails::claim", |tx| mails::claim(tx, 1, "ada@example.org")),
    ("mails::addresses_of", |tx| mails::addresses_of(tx, 1, 10).map(drop)),
    ("mails::erase_to", |tx| mails::erase_to(tx, "ada@example.org", NOW)),
    ("codes::remove_ended", |tx| codes::remove_ended(tx, NOW).map(drop)),
    ("erasure::bodies_of", |tx| erasure::bodies_of(tx, 1, "", 10).map(drop)),
    ("erasure::erased_at", |tx| erasure::erased_at(tx, 1).map(drop)),
    ("orders::assign", |tx| orders::assign(tx, "ord_1", 1)),
    ("orders::open_of_erased", |tx| orders::open_of_erased(tx, NOW, 10).map(drop)),
    ("erasure::is_erased", |tx| erasure::is_erased(tx, 1).map(drop)),
    ("erasure::is_customer_erased", |tx| erasure::is_customer_erased(tx, "cus_1").map(drop)),
    ("erasure::replace_body", |tx| erasure::replace_body(tx, "evt_1", None, NOW)),
    ("erasure::audit_of", |tx| erasure::audit_of(tx, "user:user_0", 0, 10).map(drop)),
    ("erasure::erase_audit_address", |tx| erasure::erase_audit_address(tx, 1)),
    ("erasure::audit_about", |tx| erasure::audit_about(tx, "user_0", 0, 10).map(drop)),
    ("erasure::audit_saying", |tx| erasure::audit_saying(tx, ("event_assigned", "to user_0"), 0, 10).map(drop)),
    ("erasure::erase_audit_words", |tx| erasure::erase_audit_words(tx, 1)),
    ("erasure::erase_user", |tx| erasure::erase_user(tx, 1, "erased_1", NOW)),
    ("sessions::remove_of", |tx| sessions::remove_of(tx, 1)),
    ("sessions::remove_ended", |tx| sessions::remove_ended(tx, NOW).map(drop)),
    ("identities::remove_address", |tx| identities::remove_address(tx, 1)),
    ("identities::remove_identity", |tx| identities::remove_identity(tx, 1, "proxy", "ada")),
    ("identities::remove_identities", |tx| identities::remove_identities(tx, 1)),
    ("identities::remove_password", |tx| identities::remove_password(tx, 1)),
];

#[test]
fn every_statement_about_people_is_one_and_runs() {
    each_runs(EACH);
}

#[test]
fn an_address_is_one_accounts_and_an_account_has_one() {
    let books = Books::open();
    books.store.write(|tx| (0..2).try_for_each(|number| add_user(tx, number))).unwrap();
    let set = |account: i64, text: &str| {
        let email = Email::parse(text).unwrap();
        books.store.write(move |tx| identities::set_address(tx, account, &email, NOW)).unwrap()
    };
    assert!(set(1, "Ada@example.org"));
    assert!(!set(2, "aDA@example.org"), "it is another's");
    assert!(set(1, "ADA@example.org") && set(1, "ada@example.net"), "and changes by its owner");
    assert!(set(2, "ada@example.org"), "what was given up is free");
    let written = books.store.read(|tx| identities::address_of(tx, 1)).unwrap().unwrap().written;
    assert_eq!(written, "ada@example.net");
}

#[test]
fn a_step_is_its_browsers_is_taken_once_and_ends() {
    let books = Books::open();
    let hash = |number| [number; 32];
    let keep = |number, body: u8, purpose| {
        books.store.write_of_row(&hash(number), move |tx| {
            steps::keep(tx, &hash(number), purpose, &[body; 28], NOW.plus_seconds(300))
        })
    };
    let look = |number, seconds| {
        let found = books.store.read(|tx| steps::find(tx, &hash(number), StepPurpose::Code, NOW.plus_seconds(seconds)));
        found.unwrap().map(|body| body[0])
    };
    let take = |number, seconds| {
        let now = NOW.plus_seconds(seconds);
        let taken =
            books.store.write_of_row(&hash(number), move |tx| steps::take(tx, &hash(number), StepPurpose::Code, now));
        taken.unwrap().map(|body| body[0])
    };
    keep(1, 1, StepPurpose::Code).unwrap();
    keep(2, 2, StepPurpose::Code).unwrap();
    keep(1, 9, StepPurpose::Offer).unwrap();
    assert_eq!((look(1, 0), look(3, 0)), (Some(1), None));
    keep(1, 3, StepPurpose::Code).unwrap();
    assert_eq!((take(1, 0), take(1, 0)), (Some(3), None), "the later one, and once");
    assert_eq!((look(2, 299), look(2, 300), take(2, 300)), (Some(2), None, None));
    let removed = |seconds| books.store.write(move |tx| steps::remove_ended(tx, NOW.plus_seconds(seconds))).unwrap();
    assert_eq!((removed(300), removed(301)), (0, 2), "the offer, and what nobody took in time");
}

#[test]
fn processes_count_attempts_together_and_a_bucket_fills_again() {
    let books = Books::open();
    let take = |buckets: &[Bucket], seconds| {
        let (buckets, now) = (buckets.to_vec(), NOW.plus_seconds(seconds));
        books.store.write_of_row(&[0; 32], move |tx| attempts::take(tx, &buckets, now)).unwrap()
    };
    let (one, other, shared) = (bucket(1), bucket(2), Bucket { size: 5, ..bucket(3) });
    for _ in 0..3 {
        assert_eq!(take(&[one, shared], 0), None);
    }
    assert_eq!(take(&[one, shared], 0), Some(1_000), "the one is empty, and nothing is taken of the other");
    assert_eq!((take(&[other, shared], 0), take(&[shared], 0), take(&[other, shared], 0)), (None, None, Some(1_000)));
    assert_eq!((take(&[one], 1), take(&[one], 1)), (None, Some(1_000)), "one token came back");
    assert_eq!(take(&[one], 0), Some(2_000), "by a clock that is a second behind");
    let wrong = 10 * 365 * 86_400;
    assert_eq!(take(&[other], wrong), None);
    assert_eq!((take(&[other], 2), take(&[other], 2)), (None, None), "what a wrong clock wrote does not count");
    let removed = |seconds| books.store.write(move |tx| attempts::remove_full(tx, NOW.plus_seconds(seconds))).unwrap();
    assert_eq!((removed(3_600), removed(3_700), removed(3_700)), (0, 3, 0));
}

#[test]
fn no_row_about_people_breaks_a_rule_of_its_table() {
    let books = Books::open();
    books.store.write(|tx| (0..2).try_for_each(|number| add_user(tx, number))).unwrap();
    let outside = books.outside();
    outside.run(
        "INSERT INTO addresses (canonical, account, written, verified_at) VALUES ('a@b.c', 1, 'A@b.c', 0);
            INSERT INTO identities (issuer, subject, account, created_at) VALUES ('proxy', 'ada', 1, 0);
            INSERT INTO passkeys (number, credential, account, handle, name, transports, public_key, state, created_at)
                VALUES (1, zeroblob(16), 1, zeroblob(16), 'a', 0, x'00', zeroblob(7), 0);
            INSERT INTO second_factors (account, secret, last_step, confirmed_at) VALUES (1, zeroblob(20), 0, 0);",
    );
    let (taken, check_failed) = ("UNIQUE constraint failed", "CHECK constraint failed");
    let code = "INSERT INTO codes (hash, purpose, address, password, created_at, expires_at) VALUES";
    let passkey =
        "INSERT INTO passkeys (number, credential, account, handle, name, transports, public_key, state, created_at)
        VALUES (2, ";
    let factor = "INSERT INTO second_factors (account, secret, last_step, confirmed_at) VALUES";
    let step = "INSERT INTO steps (hash, purpose, body, expires_at) VALUES";
    let session =
        "INSERT INTO sessions (number, hash, account, method, created_at, last_used_at, expires_at, idle_seconds)
        VALUES (1, ";
    for (sql, expected) in [
        (format!("{session}zeroblob(31), 1, 'link', 0, 0, 0, 1)"), check_failed),
        (format!("{session}zeroblob(32), 1, 'guess', 0, 0, 0, 1)"), check_failed),
        (format!("{session}zeroblob(32), 1, 'link', 0, 0, 0, 0)"), check_failed),
        (format!("{session}zeroblob(32), 9, 'link', 0, 0, 0, 1)"), "FOREIGN KEY"),
        (
            "INSERT INTO addresses (canonical, account, written, verified_at) VALUES ('a@b.c', 2, 'a@b.c', 0)".into(),
            taken,
        ),
        (
            "INSERT INTO addresses (canonical, account, written, verified_at) VALUES ('d@b.c', 1, 'd@b.c', 0)".into(),
            taken,
        ),
        (
            "INSERT INTO addresses (canonical, account, written, verified_at) VALUES ('D@b.c', 2, 'D@b.c', 0)".into(),
            check_failed,
        ),
        ("INSERT INTO identities (issuer, subject, account, created_at) VALUES ('proxy', 'ada', 2, 0)".into(), taken),
        ("INSERT INTO identities (issuer, subject, account, created_at) VALUES ('', 'ada', 2, 0)".into(), check_failed),
        ("INSERT INTO passwords (account, hash, set_at) VALUES (1, 'secret', 0)".into(), check_failed),
        (format!("{passkey}zeroblob(16), 2, zeroblob(16), 'b', 0, x'00', zeroblob(7), 0)"), taken),
        (format!("{passkey}zeroblob(15), 1, zeroblob(16), 'b', 0, x'00', zeroblob(7), 0)"), check_failed),
        (format!("{passkey}zeroblob(17), 1, zeroblob(15), 'b', 0, x'00', zeroblob(7), 0)"), check_failed),
        (format!("{passkey}zeroblob(17), 1, zeroblob(16), '', 0, x'00', zeroblob(7), 0)"), check_failed),
        (format!("{passkey}zeroblob(17), 1, zeroblob(16), 'b', 256, x'00', zeroblob(7), 0)"), check_failed),
        (format!("{passkey}zeroblob(17), 1, zeroblob(16), 'b', 0, x'', zeroblob(7), 0)"), check_failed),
        (format!("{passkey}zeroblob(17), 1, zeroblob(16), 'b', 0, x'00', zeroblob(8), 0)"), check_failed),
        (format!("{factor} (1, zeroblob(20), 0, 0)"), taken),
        (format!("{factor} (2, zeroblob(19), 0, 0)"), check_failed),
        (format!("{code} (zeroblob(32), 'guess', 'a@b.c', NULL, 0, 0)"), check_failed),
        (format!("{code} (zeroblob(32), 'sign_in', 'a@b.c', NULL, 0, 600001)"), check_failed),
        (format!("{code} (zeroblob(32), 'sign_in', 'a@b.c', '$argon2id$', 0, 0)"), check_failed),
        (
            "INSERT INTO invites (hash, address, created_at, expires_at) VALUES (zeroblob(31), NULL, 0, 0)".into(),
            check_failed,
        ),
        (format!("{step} (zeroblob(31), 'code', zeroblob(28), 0)"), check_failed),
        (format!("{step} (zeroblob(32), 'guess', zeroblob(28), 0)"), check_failed),
        (format!("{step} (zeroblob(32), 'code', zeroblob(27), 0)"), check_failed),
        ("INSERT INTO attempts (bucket, full_at) VALUES (zeroblob(31), 0)".into(), check_failed),
        ("INSERT INTO welcomes (digest, granted_at) VALUES (zeroblob(1), 0)".into(), check_failed),
        ("INSERT INTO address_salt (one, salt) VALUES (2, zeroblob(32))".into(), check_failed),
    ] {
        let refused = outside.attempt(&sql).expect_err(&sql);
        assert!(refused.contains(expected), "{sql}: {refused}");
    }
}
