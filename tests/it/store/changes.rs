//! How long what was read stays true: until its own user, or the tokens, are written to by us, or anything by anybody else.

use std::sync::Arc;
use std::thread;

use till::clock::Timestamp;
use till::error::{Fault, Result};
use till::id::UserId;
use till::language::Language;
use till::ledger::Part;
use till::store::subscriptions::Source;
use till::store::{
    CacheKey, ReadVersion, Store, Tx, access, cursors, entries, holds, orders, receipts, sessions, subscriptions, users,
};

use super::{Books, NOW, add_user, rows};
use crate::harness::{Hand, eventually, is_about_sqlite, postgres};

const FIRST: CacheKey = CacheKey::User(1);
const SECOND: CacheKey = CacheKey::User(2);
const ALL: [CacheKey; 3] = [FIRST, SECOND, CacheKey::Tokens];
const PAGES: [CacheKey; 2] = [CacheKey::Page(1), CacheKey::Page(2)];

/// What PostgreSQL's books have not: other processes write to them at any time.
const MEMORY: &str = "an answer from memory";

/// A store with two users, the first of them `user_1`.
fn books() -> Books {
    let books = Books::open();
    books.store.write(|tx| [1, 2].into_iter().try_for_each(|number| add_user(tx, number))).unwrap();
    books
}

/// What is no longer true.
fn untrue(store: &Store, read_at: ReadVersion) -> Vec<CacheKey> {
    // As a caller does, which notices what others did.
    store.read_version();
    ALL.into_iter().filter(|subject| !store.is_current(*subject, read_at)).collect()
}

fn give_threshold(tx: &mut dyn Tx, account: i64) -> Result<()> {
    users::set_low_balance(tx, account, Some(5))
}

fn hold(tx: &mut dyn Tx) -> Result<()> {
    holds::add(tx, 1, "k", &[Part { lot: 1, units: 5 }], None, rows::TIMES).map(drop)
}

fn end_subscription(tx: &mut dyn Tx) -> Result<()> {
    let ended = subscriptions::Subscription { ended_at: Some(NOW), ..rows::subscription() };
    subscriptions::put(tx, &ended, Source::Change { before: None }, NOW).map(drop)
}

#[test]
fn what_was_read_is_true_until_we_write_to_what_it_was_read_of() {
    if is_about_sqlite(MEMORY) {
        return;
    }
    let books = books();
    let store = &books.store;
    let from_the_start = store.read_version();
    type Change = fn(&mut dyn Tx) -> Result<()>;
    let changes: [(&str, Change, &[CacheKey]); 13] = [
        ("nothing", |_| Ok(()), &[]),
        ("a name", |tx| users::put(tx, &UserId::new("user_1").unwrap(), None, Some("A"), NOW).map(drop), &[FIRST]),
        ("a threshold", |tx| give_threshold(tx, 1), &[FIRST]),
        ("units", |tx| rows::give(tx, 1, None), &[FIRST]),
        ("a spend", rows::post_from_front, &[FIRST]),
        ("a hold", hold, &[FIRST]),
        ("another user", |tx| add_user(tx, 3), &[]),
        ("a cursor", |tx| cursors::put(tx, "events", NOW, NOW), &[]),
        ("a session", |tx| sessions::add(tx, &super::people::session()), &[]),
        ("a token", |tx| access::add_token(tx, &rows::token(), &[1; 32]), &[CacheKey::Tokens]),
        ("a token's use", |tx| access::token_used(tx, "tok_1", NOW), &[CacheKey::Tokens]),
        (
            "a subscription",
            |tx| subscriptions::put(tx, &rows::subscription(), Source::Creation, NOW).map(drop),
            &[FIRST, SECOND],
        ),
        ("the end of one", end_subscription, &[FIRST, SECOND]),
    ];
    for (what, change, expected) in changes {
        let before = store.read_version();
        store.write(change).unwrap();
        assert_eq!(untrue(store, before), expected, "{what}");
        assert_eq!(untrue(store, store.read_version()), [], "after {what}");
    }
    // What is undone, by a dry run or by a fault, costs at most one more reading.
    store.dry_run(|tx| give_threshold(tx, 1)).unwrap();
    store.write(|tx| give_threshold(tx, 1).and(Err::<(), _>(Fault::bare("a fault").into()))).unwrap_err();
    store.write(|tx| Ok(tx.execute("ROLLBACK", &[])?)).unwrap_err();
    assert_eq!(untrue(store, store.read_version()), []);
    assert_eq!(untrue(store, from_the_start), ALL);
}

#[test]
fn a_page_is_true_until_we_write_to_anything_that_it_shows() {
    if is_about_sqlite(MEMORY) {
        return;
    }
    let books = books();
    let store = &books.store;
    const FIRST: &[CacheKey] = &[CacheKey::Page(1)];
    type Change = fn(&mut dyn Tx) -> Result<()>;
    let changes: [(&str, Change, &[CacheKey]); 12] = [
        ("nothing", |_| Ok(()), &[]),
        ("a language", |tx| users::set_locale(tx, 1, Language::De), FIRST),
        ("units", |tx| rows::give(tx, 1, None), FIRST),
        ("a spend", rows::post_from_front, FIRST),
        ("a hold", hold, FIRST),
        ("the end of one", |tx| holds::claim_over(tx, 1, rows::TIMES[1]).map(drop), FIRST),
        ("notes of holds", |tx| holds::erase_notes(tx, 1, [0, 9], NOW).map(drop), FIRST),
        ("notes of entries", |tx| entries::erase_notes(tx, 1, 0, 9).map(drop), FIRST),
        ("another user", |tx| add_user(tx, 3), &[]),
        ("an order", |tx| orders::add(tx, &rows::order()).map(drop), &PAGES),
        ("a document", |tx| receipts::put_document(tx, "in_1", Some("A-1"), None), &PAGES),
        ("a cursor", |tx| cursors::put(tx, "events", NOW, NOW), &[]),
    ];
    for (what, change, expected) in changes {
        let before = store.read_version();
        store.write(change).unwrap();
        let untrue: Vec<CacheKey> = PAGES.into_iter().filter(|page| !store.is_current(*page, before)).collect();
        assert_eq!(untrue, expected, "{what}");
        assert!(PAGES.into_iter().all(|page| store.is_current(page, store.read_version())), "after {what}");
    }
}

#[test]
fn a_session_is_true_until_it_is_used_or_ended() {
    if is_about_sqlite(MEMORY) {
        return;
    }
    let books = books();
    let store = &books.store;
    store.write(|tx| sessions::add(tx, &super::people::session())).unwrap();
    let later = NOW.plus_seconds(120);
    type Change = fn(&mut dyn Tx, Timestamp) -> Result<()>;
    let changes: [(&str, Change, bool); 4] = [
        ("another user's", |tx, at| sessions::end_all(tx, 2, None, at).map(drop), true),
        ("used", |tx, at| sessions::used(tx, 1, at), false),
        ("ended", |tx, at| sessions::end_all(tx, 1, None, at).map(drop), false),
        ("removed", |tx, _| sessions::remove_of(tx, 1), false),
    ];
    for (what, change, is_true) in changes {
        let before = store.read_version();
        store.write(move |tx| change(tx, later)).unwrap();
        assert_eq!(store.is_current(CacheKey::Session(1), before), is_true, "{what}");
    }
}

#[test]
fn our_own_writing_is_never_taken_for_another_s() {
    if is_about_sqlite(MEMORY) {
        return;
    }
    let books = books();
    let store = &books.store;
    let read_at = store.read_version();
    for round in 0..200 {
        store.write(|tx| give_threshold(tx, 1)).unwrap();
        if round % 50 == 0 {
            // The log is moved into the database, and restarts with the next write: the content does not change.
            books.outside().rows("PRAGMA wal_checkpoint(PASSIVE)");
        }
        assert_eq!(untrue(store, read_at), [FIRST], "round {round}");
    }
}

#[test]
fn what_others_write_is_noticed_whatever_we_do_meanwhile() {
    if is_about_sqlite(MEMORY) {
        return;
    }
    let Books { store, folder } = books();
    let store = Arc::new(store);
    let outside = Hand::open(&folder.database("till.db"));
    let write = |sql: &str| outside.run(sql);
    let noticed = |what: &str, read_at: ReadVersion| {
        eventually(what, || (untrue(&store, read_at) == ALL).then_some(()));
        assert_eq!(untrue(&store, store.read_version()), [], "after {what}");
    };
    // Another name each time: what stays the same is not written, so there is nothing to notice.
    const CHANGE: &str = "UPDATE users SET name = hex(randomblob(8)) WHERE account = 2";

    let read_at = store.read_version();
    write(CHANGE);
    noticed("a change while nothing is written", read_at);

    for _ in 0..50 {
        let read_at = store.read_version();
        store.write(|tx| give_threshold(tx, 1)).unwrap();
        write(CHANGE);
        noticed("a change right after a write", read_at);
        let read_at = store.read_version();
        write(CHANGE);
        store.write(|tx| give_threshold(tx, 1)).unwrap();
        // The write has looked itself: nobody needs to wait.
        assert_eq!(ALL.map(|subject| store.is_current(subject, read_at)), [false; 3], "right before a write");
    }

    // While our write waits for the other one, and after it.
    let read_at = store.read_version();
    write("BEGIN IMMEDIATE");
    let ours = Arc::clone(&store);
    let waiting = thread::spawn(move || ours.write(|tx| give_threshold(tx, 1)).unwrap());
    write(CHANGE);
    assert_eq!(untrue(&store, read_at), []);
    write("COMMIT");
    noticed("a change that a write waited for", read_at);
    waiting.join().unwrap();
}

#[test]
fn nothing_is_answered_from_memory_of_books_that_several_processes_share() {
    if !postgres::is_chosen() {
        return;
    }
    let books = books();
    assert_eq!(untrue(&books.store, books.store.read_version()), ALL);
}
