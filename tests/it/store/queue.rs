//! Many writes at once: they share commits, each succeeds or fails alone, and one too many is refused at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use till::error::{Error, Fault, Refused, Result};
use till::metrics::Metrics;
use till::store::{Engine, Store, Tx};
use till::stripe::CallFigures;

use super::{Books, add_user, count_users, words};
use crate::harness::{eventually, postgres};

/// As many as may wait.
const QUEUE: usize = 1024;
/// As many as one commit may hold.
const BATCH: u64 = 256;
/// Threads that only wait need no more.
const STACK: usize = 128 * 1024;

/// A write that keeps the writer busy until it is let go.
struct Holder {
    release: Sender<()>,
    thread: thread::JoinHandle<Result<()>>,
}

impl Holder {
    /// Begins it, and waits until the writer is inside.
    fn begin(store: &Arc<Store>) -> Holder {
        let (release, released) = channel();
        let (enter, entered) = channel();
        let store = Arc::clone(store);
        let thread = thread::spawn(move || {
            store.write(move |_| {
                enter.send(()).unwrap();
                released.recv().unwrap();
                Ok(())
            })
        });
        entered.recv().unwrap();
        Holder { release, thread }
    }

    fn let_go(self) {
        self.release.send(()).unwrap();
        self.thread.join().unwrap().unwrap();
    }
}

/// How many commits there have been, as the metrics say.
fn commits(store: &Store) -> u64 {
    let text = Metrics::new(store.figures(), &CallFigures::default(), store.engine()).text().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("till_commit_writes_count ")).unwrap();
    line.parse().unwrap()
}

/// What the write with this number does.
fn work(tx: &mut dyn Tx, number: usize) -> Result<()> {
    add_user(tx, number)?;
    match number % 100 {
        1 => Err(Refused::NotFound("an answer that says no".into()).into()),
        2 => Err(Fault::bare("a fault").into()),
        // Not a panic, which would be printed; it unwinds all the same.
        3 => std::panic::resume_unwind(Box::new("a panic")),
        _ => Ok(()),
    }
}

fn expected(number: usize) -> Option<&'static str> {
    match number % 100 {
        1 => Some("not_found"),
        2 => Some("a fault"),
        3 => Some("panicked"),
        _ => None,
    }
}

/// The same, where the database itself refuses a statement of some.
fn refused_work(tx: &mut dyn Tx, number: usize) -> Result<()> {
    work(tx, number)?;
    match number % 100 {
        4 => Ok(tx.execute("INSERT INTO users (account, id, created_at) VALUES (1, 'again', 0)", &[]).map(drop)?),
        5 => Ok(tx.execute("UPDATE absent SET a = 1", &[]).map(drop)?),
        _ => Ok(()),
    }
}

fn refusal(number: usize) -> Option<&'static str> {
    match number % 100 {
        4 if postgres::is_chosen() => Some("duplicate key value violates unique constraint"),
        4 => Some("UNIQUE constraint failed: users.account"),
        5 if postgres::is_chosen() => Some("relation \"absent\" does not exist"),
        5 => Some("no such table"),
        _ => expected(number),
    }
}

/// Each write has the answer that is its own; how many were kept.
#[track_caller]
fn count_kept(
    answers: impl IntoIterator<Item = (usize, Result<()>)>,
    expected: fn(usize) -> Option<&'static str>,
) -> i64 {
    let is_kept = |(number, answer): (usize, Result<()>)| match expected(number) {
        None => answer.map(|()| true).unwrap_or_else(|error| panic!("write {number}: {error}")),
        Some(expected) => {
            let words = words(answer);
            assert!(words.contains(expected), "write {number}: {words}");
            false
        }
    };
    answers.into_iter().map(is_kept).map(i64::from).sum()
}

#[test]
fn writes_share_commits_each_stands_alone_and_too_many_are_refused_at_once() {
    const MORE: usize = 30;
    let Books { store, folder: _folder } = Books::open();
    let store = Arc::new(store);
    store.write(|tx| add_user(tx, 0)).unwrap();
    let before = commits(&store);
    let holder = Holder::begin(&store);
    let (refused, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let threads: Vec<_> = (1..=QUEUE + MORE)
        .map(|number| {
            let (store, refused, answers) = (Arc::clone(&store), Arc::clone(&refused), Arc::clone(&answers));
            let start = move || {
                let answer = store.write(move |tx| work(tx, number));
                if matches!(answer, Err(Error::Refused(Refused::Unavailable { retry_after: 1, .. }))) {
                    refused.fetch_add(1, Ordering::SeqCst);
                } else {
                    answers.lock().unwrap().push((number, answer));
                }
            };
            thread::Builder::new().stack_size(STACK).spawn(start).unwrap()
        })
        .collect();
    // Nothing has been written meanwhile, so these were refused while the others waited.
    eventually("more writes than may wait", || (refused.load(Ordering::SeqCst) == MORE).then_some(()));
    assert_eq!(commits(&store), before);

    holder.let_go();
    threads.into_iter().for_each(|thread| thread.join().unwrap());

    let answers = Arc::into_inner(answers).unwrap().into_inner().unwrap();
    assert_eq!(answers.len(), QUEUE);
    assert_eq!(count_users(&store), 1 + count_kept(answers, expected));
    let full = u64::try_from(QUEUE).unwrap() / BATCH;
    assert_eq!(commits(&store) - before, 1 + full, "the holder's commit, and full ones");
    assert_eq!(store.figures().commit_failures.get(), 0);
    store.write(|tx| add_user(tx, 9999)).unwrap();
}

#[test]
fn a_write_that_the_database_refuses_fails_alone() {
    let Books { store, folder: _folder } = Books::open();
    let store = Arc::new(store);
    store.write(|tx| add_user(tx, 0)).unwrap();
    let holder = Holder::begin(&store);
    let (answer, answers) = channel();
    let writes = 1..=300;
    for number in writes.clone() {
        let answer = answer.clone();
        store.write_then(move |tx| refused_work(tx, number), move |done| answer.send((number, done)).unwrap());
    }
    holder.let_go();
    assert_eq!(1 + count_kept(answers.iter().take(writes.count()), refusal), count_users(&store));
    // The words of a server that are refused there end the transaction, and then each write has one of its own.
    if !postgres::is_chosen() {
        assert_eq!(store.figures().commit_failures.get(), 0);
    }
    store.write(|tx| add_user(tx, 9999)).unwrap();
}

#[test]
fn a_write_that_breaks_the_commit_of_all_fails_alone() {
    // Found only when the transaction ends: a lot whose payment there is not.
    fn break_it(tx: &mut dyn Tx) -> Result<()> {
        let reason = "INSERT INTO books (account, part, used_reason, used_by) VALUES (1, 2, 'topup_pi_lost', 1)";
        let entry = "INSERT INTO books (account, part, seq, kind, delta, balance_after, reason, created_at, previous)
            VALUES (1, 0, 1, 'topup', 5, 5, 'topup_pi_lost', 0, $1)";
        let lot = "INSERT INTO lots (account, seq, units, remaining, held, expired, payment)
            VALUES (1, 1, 5, 5, 0, 0, 'pi_lost')";
        tx.execute(reason, &[])?;
        tx.execute(entry, &[&[0_u8; 32]])?;
        Ok(tx.execute(lot, &[]).map(drop)?)
    }
    // Until they have met in one transaction: then those that would have been kept run once more.
    eventually("writes that meet", || {
        let Books { store, folder: _folder } = Books::open();
        let store = Arc::new(store);
        store.write(|tx| add_user(tx, 100)).unwrap();
        let runs = Arc::new(AtomicUsize::new(0));
        let holder = Holder::begin(&store);
        let (ready, all_ready) = channel();
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let (store, runs, ready) = (Arc::clone(&store), Arc::clone(&runs), ready.clone());
                thread::spawn(move || {
                    ready.send(()).unwrap();
                    store.write(move |tx| {
                        if number == 5 {
                            return break_it(tx);
                        }
                        runs.fetch_add(1, Ordering::SeqCst);
                        add_user(tx, number)
                    })
                })
            })
            .collect();
        all_ready.iter().take(threads.len()).for_each(drop);
        holder.let_go();
        for (number, thread) in threads.into_iter().enumerate() {
            let answer = thread.join().unwrap();
            match number {
                5 => assert!(words(answer).to_lowercase().contains("foreign key")),
                _ => answer.unwrap(),
            }
        }
        assert_eq!(count_users(&store), 8);
        let have_met = runs.load(Ordering::SeqCst) > 7;
        if have_met {
            // With all, and alone: on a server as often as others might have been in the way.
            let failures = store.figures().commit_failures.get();
            assert!(failures == 2 || (postgres::is_chosen() && failures > 2), "{failures}");
        }
        have_met.then_some(())
    });
}

/// Ends the transaction under the writer's hands, as a full disk does to SQLite's and a server that stops to its own.
fn lose(tx: &mut dyn Tx) {
    let _what_is_said_of_it = match tx.engine() {
        Engine::Sqlite => tx.execute("ROLLBACK", &[]),
        Engine::Postgres => tx.execute("SELECT pg_terminate_backend(pg_backend_pid())", &[]),
    };
}

#[test]
fn a_write_that_lost_its_transaction_keeps_nothing_of_what_it_did_before_or_does_after() {
    let books = Books::open();
    let lost = books.store.write(|tx| {
        add_user(tx, 1)?;
        lose(tx);
        let _swallowed = add_user(tx, 2);
        Ok(())
    });
    assert_eq!(words(lost), "unavailable");
    assert_eq!(count_users(&books.store), 0);
    books.store.write(|tx| add_user(tx, 3)).unwrap();
    assert_eq!(count_users(&books.store), 1);
}

#[test]
fn a_refusal_out_of_a_transaction_that_was_lost_is_no_answer() {
    let books = Books::open();
    let lost = books.store.write(|tx| {
        lose(tx);
        Err::<(), _>(Refused::NotFound("of what never was".into()).into())
    });
    assert_eq!(words(lost), "unavailable");
}

#[test]
fn a_caller_that_panics_over_its_answer_harms_nobody_else() {
    let books = Books::open();
    // Not a panic, which would be printed; it unwinds all the same.
    books.store.write_then(|tx| add_user(tx, 1), |_| std::panic::resume_unwind(Box::new("a panic")));
    books.store.write(|tx| add_user(tx, 2)).unwrap();
    assert_eq!(count_users(&books.store), 2);
}

#[test]
fn the_store_may_end_with_the_last_answer() {
    let Books { store, folder } = Books::open();
    let store = Arc::new(store);
    let (kept, (answer, answered)) = (Arc::clone(&store), channel());
    let (holder, answer_too) = (Holder::begin(&store), answer.clone());
    store.write_then(
        |tx| add_user(tx, 1),
        move |done| {
            eventually("nobody else has the store", || (Arc::strong_count(&kept) == 1).then_some(()));
            answer.send(done).unwrap();
        },
    );
    store.write_then(|tx| add_user(tx, 2), move |done| answer_too.send(done).unwrap());
    drop(store);
    holder.let_go();
    for _ in 0..2 {
        answered.recv().expect("each is answered").unwrap();
    }
    let files = || std::fs::read_dir(folder.path("")).unwrap().count();
    eventually("the writer has left the file tidy", || (files() <= 1).then_some(()));
    assert_eq!(count_users(&super::open(&folder.database("till.db"))), 2);
}

#[test]
fn a_dry_run_says_what_would_be_and_keeps_nothing() {
    let books = Books::open();
    let seen = books.store.dry_run(|tx| {
        add_user(tx, 1)?;
        tx.one("SELECT COUNT(*) AS users FROM users", &[], |row| row.int("users"))
    });
    assert_eq!(seen.unwrap(), Some(1));
    let refused = books.store.dry_run(|tx| {
        add_user(tx, 2)?;
        Err::<(), _>(Refused::NotFound(String::new()).into())
    });
    assert_eq!(words(refused), "not_found");
    assert_eq!(count_users(&books.store), 0);
}

#[test]
fn the_last_owner_of_the_store_leaves_everything_in_one_file() {
    let Books { store, folder } = Books::open();
    let store = Arc::new(store);
    let threads: Vec<_> = (0..40)
        .map(|number| {
            let store = Arc::clone(&store);
            thread::spawn(move || store.write(move |tx| add_user(tx, number)).unwrap())
        })
        .collect();
    drop(store);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let files: Vec<_> = std::fs::read_dir(folder.path("")).unwrap().map(|file| file.unwrap().file_name()).collect();
    let file = if postgres::is_chosen() { &[][..] } else { &["till.db"] };
    assert_eq!(files, file);
    assert_eq!(count_users(&super::open(&folder.database("till.db"))), 40);
}
