//! Many at once, while lots and holds end under them: writes that close what is over and are then refused share commits
//! with others, and still each answer is what is in the books, once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use till::clock::Timestamp;
use till::error::{Error, Refused, Result};
use till::ledger::{Entry, Kind};
use till::store::entries;
use till::usecase::units::expire::expire;
use till::usecase::units::grant::{Grant, grant};
use till::usecase::units::hold::{self, Closing, HoldRequest};
use till::usecase::units::spend::{self, Spend};

use super::{Books, START, user};

const CALLERS: usize = 8;
const TURNS: usize = 120;

/// What callers were told: entries of spends, and what was captured, by hold.
#[derive(Default)]
struct LogEvent {
    spent: Vec<(Spend, Entry)>,
    captured: Vec<(String, i64)>,
    granted: i64,
}

fn answered<T: Send + 'static>(begin: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>)) -> Option<T> {
    let (answer, heard) = channel();
    begin(Box::new(move |result| answer.send(result).unwrap()));
    let result = heard.recv().unwrap();
    assert!(heard.recv().is_err(), "answered twice");
    match result {
        Ok(done) => Some(done),
        Err(Error::Refused(Refused::InsufficientUnits { .. } | Refused::HoldNotOpen(_))) => None,
        Err(other) => panic!("{other}"),
    }
}

fn call(books: &Books, time: &AtomicI64, caller: usize) -> LogEvent {
    let (app, mut told) = (&books.app, LogEvent::default());
    let mut ids: Vec<String> = vec![];
    for turn in 0..TURNS {
        let (key, units) = (format!("{caller} {turn}"), i64::try_from((turn * 7 + caller) % 13 + 1).unwrap());
        let now = time.load(Ordering::SeqCst);
        match (turn + caller) % 6 {
            0 => {
                // Some end with the next turns of the clock.
                let expires_at = (turn % 4 != 0).then(|| Timestamp::from_millis(now + 3000));
                let given = Grant { units: 9 * units, note: "n".into(), expires_at, key };
                match grant(app, &user(0), &given) {
                    Ok(receipt) => told.granted += receipt.entry.delta,
                    // It may be over already: the clock is everybody's.
                    Err(Error::Refused(Refused::InvalidRequest(_))) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            1 | 2 => {
                let wanted = Spend::new(user(0), units, None, key).unwrap();
                let spent = answered(|then| spend::spend(app, wanted.clone(), then));
                told.spent.extend(spent.map(|spent| (wanted, spent.entry)));
            }
            3 => {
                let wanted = HoldRequest::new(user(0), units, Some(1), None, key).unwrap();
                ids.extend(answered(|then| hold::hold(app, wanted, then)).map(|made| made.hold.id()));
            }
            4 => {
                let Some(id) = ids.pop() else { continue };
                let closing = if turn % 3 == 0 { Closing::Release } else { Closing::capture(Some(1)).unwrap() };
                let closed = answered(|then| hold::close(app, &id, closing, then));
                told.captured.extend(closed.map(|closed| (id, closed.hold.captured)).filter(|(_, units)| *units > 0));
            }
            _ => {
                let later = time.fetch_add(137, Ordering::SeqCst) + 137;
                app.clock.set(Timestamp::from_millis(later));
                expire(app).unwrap();
            }
        }
    }
    told
}

#[test]
fn what_many_are_told_at_once_is_what_is_in_the_books() {
    let books = Books::open();
    let time = AtomicI64::new(START.millis());
    let told: Vec<LogEvent> = thread::scope(|scope| {
        let callers = (0..CALLERS).map(|caller| (caller, &books, &time));
        let callers: Vec<_> =
            callers.map(|(caller, books, time)| scope.spawn(move || call(books, time, caller))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let proof = books.proof().unwrap();
    assert_eq!(proof.breaks, []);

    let written = books.app.store.read(|tx| entries::of_account_after(tx, 1, 0, 10_000)).unwrap();
    let by_reason: BTreeMap<&str, &Entry> = written.iter().map(|entry| (entry.reason.as_str(), entry)).collect();
    let (mut spends, mut granted) = (0, 0);
    for told in &told {
        granted += told.granted;
        spends += told.spent.len() + told.captured.len();
        for (wanted, entry) in &told.spent {
            assert_eq!(by_reason[entry.reason.as_str()], entry);
            let again = answered(|then| spend::spend(&books.app, wanted.clone(), then)).unwrap();
            assert_eq!((again.replayed, &again.entry), (true, entry));
        }
        for (hold, units) in &told.captured {
            assert_eq!(by_reason[format!("hold_{hold}").as_str()].delta, -units);
        }
    }
    let of = |kind: Kind| written.iter().filter(move |entry| entry.kind == kind);
    assert_eq!(of(Kind::Spend).count(), spends, "a spend that nobody was told of");
    assert_eq!(of(Kind::Grant).map(|entry| entry.delta).sum::<i64>(), granted);
    assert!(spends > 100 && of(Kind::Expiry).count() > 10, "{spends}");
}
