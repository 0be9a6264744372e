//! The figures by day follow from the rows, however many writes are committed together and whichever of them fail; and
//! a figure that somebody else changed is found.

use std::sync::mpsc::channel;

use till::error::{Fault, Result};
use till::id::UserId;
use till::store::figures::{page, users as counted_users};
use till::store::{Figure, Tx, users};
use till::usecase::operator::figures::overview;
use till::usecase::units::request::IdempotencyKey;
use till::usecase::units::spend::{SpendRequest, spend};

use super::tampering::Tampered;
use super::{Books, Move, START, user};

/// How often the figures without a currency were changed.
fn changes(books: &Books) -> i64 {
    let days = books.app.store.read(|tx| page(tx, (i64::MIN, ""), i64::MAX, 100)).unwrap();
    days.iter().filter(|day| day.currency.is_empty()).map(|day| day.changes).sum()
}

/// Holds the writer until `submit` has queued what it queues.
fn together(books: &Books, submit: impl FnOnce(&Books)) {
    let (go, wait) = channel::<()>();
    let hold = move |_: &mut dyn Tx| {
        let _gone = wait.recv();
        Ok(())
    };
    books.app.store.write_then(hold, drop);
    submit(books);
    // The writer may run it again with those that it was put together with: then it does not wait.
    drop(go);
    books.app.store.write(|_| Ok(())).unwrap();
}

#[test]
fn spends_that_are_committed_together_write_the_figures_once() {
    const SPENDS: usize = 64;
    let mut books = Books::open();
    books.make(0, &Move::Buy { units: 100 });
    let before = changes(&books);
    let (answer, answered) = channel();
    together(&books, |books| {
        for number in 0..SPENDS {
            let key = IdempotencyKey::parse(&number.to_string()).unwrap();
            let wanted = SpendRequest::new(user(0), 1, None, key).unwrap();
            let answer = answer.clone();
            spend(&books.app, wanted, move |result| answer.send(result.map(drop)).unwrap());
        }
    });
    answered.iter().take(SPENDS).for_each(|result| result.unwrap());
    books.sums[0] -= 64;
    // A half, a quarter and so on, where the disk is quick.
    assert!(changes(&books) - before < 16, "{} changes", changes(&books) - before);
    books.check();
    let seen = overview(&books.app, 1).unwrap();
    // 900 were paid for 100 units: 64 of them earned 576.
    let usd = seen.months.iter().find(|month| month.currency == "usd").unwrap();
    assert_eq!((usd.get(Figure::Packs), usd.get(Figure::Earned)), (900, 576));
    let [owed] = seen.outstanding.as_slice() else { panic!("{:?}", seen.outstanding) };
    assert_eq!((owed.currency.as_str(), owed.units, owed.value), ("usd", 36, 324));
    assert_eq!((seen.used.last().unwrap().1, seen.used.len(), seen.users), (64, 90, 3));
}

#[test]
fn a_write_that_fails_leaves_no_figures() {
    let books = Books::open();
    let put = |id: &'static str, fails: bool| {
        move |tx: &mut dyn Tx| -> Result<()> {
            users::put(tx, &UserId::new(id).unwrap(), None, None, START)?;
            if fails { Err(Fault::bare("changed its mind").into()) } else { Ok(()) }
        }
    };
    books.app.store.write(put("x", true)).unwrap_err();
    books.app.store.dry_run(put("y", false)).unwrap();
    together(&books, |books| {
        for (id, fails) in [("a", false), ("b", true), ("c", false)] {
            books.app.store.write_then(put(id, fails), drop);
        }
    });
    assert_eq!(books.app.store.read(counted_users).unwrap(), 5);
    assert_eq!(books.proof().unwrap().breaks, []);
}

#[test]
fn a_figure_is_the_sum_over_those_who_wrote_it() {
    let tampered = Tampered::open();
    let columns = Figure::ALL.map(Figure::column);
    let [rest, part] =
        ["SUM(it) - 7 * COUNT(*)", "it = 7"].map(|form| columns.map(|column| form.replace("it", column)).join(", "));
    let columns = columns.join(", ");
    let shared = format!(
        "INSERT INTO figures (day, currency, writer, changes, {columns})
            SELECT day, currency, 99, 1, {rest} FROM figures GROUP BY day, currency;
        UPDATE figures SET {part} WHERE writer <> 99"
    );
    assert_eq!(tampered.found(&shared), Vec::<String>::new());
    let found = tampered.found(&format!("{shared}; UPDATE figures SET used = used + 1 WHERE writer = 99"));
    assert!(found.iter().all(|what| what.contains("the figure used of ")) && !found.is_empty(), "{found:?}");
}

#[test]
fn no_figure_and_no_cost_can_be_changed_unseen() {
    let tampered = Tampered::open();
    for figure in Figure::ALL {
        let column = figure.column();
        for (of, where_) in [("''", "currency = ''"), ("usd", "currency = 'usd'")] {
            let found = tampered.found(&format!("UPDATE figures SET {column} = {column} + 1 WHERE {where_}"));
            assert!(found.iter().all(|what| what.contains(&format!("the figure {column} of "))), "{of}: {found:?}");
            assert!(!found.is_empty(), "{column} of {of}");
        }
    }
    for change in [
        "DELETE FROM figures WHERE currency = 'usd'",
        "UPDATE figures SET day = day + 1 WHERE currency = 'usd'",
        "UPDATE figures SET currency = 'eur' WHERE currency = 'usd'",
        "UPDATE users SET created_at = created_at + 86400000 WHERE account = 3",
        "UPDATE payments SET amount = amount + 1",
        "UPDATE payments SET currency = 'eur'",
        "UPDATE payments SET cost = cost + 1",
        "UPDATE payments SET kind = 'plan'",
        "UPDATE payments SET out_of_band = 1",
        "UPDATE payments SET paid_at = paid_at + 86400000",
        "UPDATE payments SET refunded_total = 5",
        "UPDATE payments SET reversed_at = 5",
        "UPDATE lots SET cost = cost + 1",
        "UPDATE lots SET cost = NULL, currency = NULL WHERE seq = 1",
        "UPDATE lots SET cost = 5 WHERE cost IS NULL",
        "UPDATE lots SET cost = 5, currency = 'usd' WHERE cost IS NULL",
        "UPDATE lots SET currency = 'eur'",
        "UPDATE books SET front_paid = '0 1 1 eur' WHERE account = 1 AND part = 1",
        "UPDATE books SET front_paid = '0 1 1' WHERE account = 1 AND part = 1",
        "UPDATE books SET front_paid = '0 1 1 usd' WHERE account = 2 AND part = 1",
        "INSERT INTO refunds (id, payment, amount, state, made_at) SELECT 're_' || reference, reference, 5, 'pending', 0 FROM payments",
        "INSERT INTO subscription_counts (status, offer, currency, count, amount) VALUES ('active', 'pro', 'usd', 1, 2900)",
    ] {
        assert!(!tampered.found(change).is_empty(), "not seen: {change}");
    }
    tampered.books.check();
}
