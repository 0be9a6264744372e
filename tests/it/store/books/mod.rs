//! The books as a whole, through the store: whatever is done to several accounts, they add up and the proof holds; and
//! whatever somebody changes in the file, the proof breaks.

mod at_once;
mod figures;
mod long_history;
mod notes;
mod rewriting;
mod simple;
mod tampering;
mod walk;

use std::collections::BTreeMap;

use proptest::prelude::*;
use till::actor::Actor;
use till::app::App;
use till::clock::{Clock, Timestamp};
use till::config::{Need, Sources};
use till::error::Result;
use till::id::UserId;
use till::ledger::{self, Account, Cost, Currency, Kind, Posting, Refusal, Reversal, Spend, Units};
use till::store::orders::OfferKind;
use till::store::payments::{self, Payment};
use till::store::{Tx, entries, users};
use till::usecase::operator::verify::{Proof, verify};
use till::usecase::units::expire::expire;
use till::usecase::units::grant::{GrantRequest, grant};
use till::usecase::units::request::IdempotencyKey;

use crate::harness::{Folder, Hand};

const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const ACCOUNTS: usize = 3;

/// A till without a door, whose clock is moved by hand, and what its accounts must hold.
struct Books {
    app: App,
    now: Timestamp,
    /// What each account's moves add up to, kept without the ledger; expiries apart.
    sums: [i64; ACCOUNTS],
    /// What was paid for, by account.
    payments: [Vec<Bought>; ACCOUNTS],
    moves: usize,
    folder: Folder,
}

/// A payment: Stripe's id of it, and what it gave and lost.
#[derive(Clone)]
struct Bought {
    reference: String,
    payment: ledger::Payment,
    reversals: i64,
}

#[derive(Clone, Debug)]
enum Move {
    Grant { units: i64, lives: Option<i64> },
    Buy { units: i64 },
    Correct { units: i64 },
    Spend { units: i64 },
    Reverse { payment: usize, take: i64 },
    Wait { millis: i64 },
    Expire,
}

impl Books {
    fn open() -> Books {
        let folder = Folder::new();
        let database = folder.database("till.db");
        let sources = Sources::from_variables([("SPRITE_DATABASE", database.as_str())]);
        let config = till::config::load(&sources, Need::Nothing).unwrap().config;
        let app = App::open(config, Clock::manual(START)).unwrap();
        let books =
            Books { app, now: START, sums: [0; ACCOUNTS], payments: std::array::from_fn(|_| vec![]), moves: 0, folder };
        for number in 0..ACCOUNTS {
            let id = UserId::new(&user(number)).unwrap();
            books.app.store.write(move |tx| users::put(tx, &id, None, None, START)).unwrap();
        }
        books
    }

    /// A hand in them, past till.
    fn hand(&self) -> Hand {
        Hand::open(&self.folder.database("till.db"))
    }

    fn make(&mut self, whose: usize, step: &Move) {
        self.moves += 1;
        let key = self.moves.to_string();
        match *step {
            Move::Grant { units, lives } => {
                let expires_at = lives.map(|millis| self.now.plus_millis(millis));
                self.grant(whose, units, expires_at, key);
            }
            Move::Correct { units } => self.grant(whose, -units, None, key),
            Move::Buy { units } => self.buy(whose, units, &key),
            Move::Spend { units } => {
                let spend = Spend { units: Units::new(units).unwrap(), reason: format!("spend_{key}"), note: None };
                match self.post(whose, None, move |account, now| ledger::spend(account, spend.clone(), now)) {
                    Ok(_) => self.sums[whose] -= units,
                    Err(refusal) => assert!(matches!(refusal, Refusal::InsufficientUnits { .. }), "{refusal:?}"),
                }
            }
            Move::Reverse { payment, take } => self.reverse(whose, payment, take, &key),
            Move::Wait { millis } => {
                self.now = self.now.plus_millis(millis);
                self.app.clock.set(self.now);
            }
            Move::Expire => drop(expire(&self.app).unwrap()),
        }
    }

    fn grant(&mut self, whose: usize, units: i64, expires_at: Option<Timestamp>, key: String) {
        let key = IdempotencyKey::parse(&key).unwrap();
        let given = GrantRequest::new(units, "by hand".into(), expires_at, key).unwrap();
        // The second time says the same and does nothing.
        let [first, second] = [false, true].map(|_| grant(&self.app, &user(whose), &given).unwrap());
        assert_eq!((first.replayed, second.replayed, &first.entry), (false, true, &second.entry));
        self.sums[whose] += units;
    }

    fn buy(&mut self, whose: usize, units: i64, key: &str) {
        let reference = format!("pi_{key}");
        let reason = format!("topup_{reference}");
        let units = Units::new(units).unwrap();
        let cost = Cost { amount: 900, currency: Currency::new("usd").unwrap() };
        let credit =
            ledger::Credit { kind: Kind::Topup, units, reason, note: None, expires_at: None, cost: Some(cost) };
        let payment = ledger::Payment { lots: vec![], units_granted: units.count(), units_reversed: 0 };
        let mut bought = Bought { reference, payment, reversals: 0 };
        let decide = move |account: &Account, now| ledger::credit(account, credit.clone(), now);
        let posting = self.post(whose, Some(bought.clone()), decide).unwrap();
        bought.payment.lots.push(posting.entry.seq);
        self.payments[whose].push(bought);
        self.sums[whose] += units.count();
    }

    fn reverse(&mut self, whose: usize, payment: usize, take: i64, key: &str) {
        let Some(before) = self.payments[whose].get(payment).cloned() else { return };
        let take = take.min(before.payment.units_granted);
        if take == before.payment.units_reversed {
            return;
        }
        let reason = format!("refund_{key}");
        let mut after = before.clone();
        after.payment.units_reversed = take;
        after.reversals += 1;
        let paid = before.payment.clone();
        let reversed = self.post(whose, Some(after.clone()), move |account, now| {
            let reversal = Reversal { kind: Kind::Refund, take, reason: reason.clone(), note: None };
            ledger::reverse(account, &paid, reversal, now).map(Option::unwrap)
        });
        reversed.unwrap();
        self.payments[whose][payment] = after;
        self.sums[whose] += before.payment.units_reversed - take;
    }

    /// One movement, as a use case makes it: what has ended expires first, and the payment that it concerns is stored as it
    /// is afterwards, in the same transaction.
    fn post(
        &self,
        whose: usize,
        bought: Option<Bought>,
        decide: impl Fn(&Account, Timestamp) -> std::result::Result<Posting, Refusal> + Send + 'static,
    ) -> std::result::Result<Posting, Refusal> {
        let now = self.now;
        let store = move |tx: &mut dyn Tx| -> Result<std::result::Result<Posting, Refusal>> {
            let number = users::by_id(tx, &user(whose))?.account;
            let reference = bought.as_ref().map(|bought| bought.reference.as_str());
            let mut loaded = entries::load(tx, number, reference)?;
            while let Some(posting) = ledger::expire(&loaded.account, now) {
                let posting = posting.unwrap();
                assert!(entries::post(tx, &loaded, &posting, None, &Actor::till())?);
                loaded.account = posting.after;
            }
            let posting = match decide(&loaded.account, now) {
                Ok(posting) => posting,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if let Some(bought) = &bought {
                keep(tx, number, bought)?;
            }
            assert!(entries::post(tx, &loaded, &posting, reference, &Actor::till())?);
            assert!(!entries::post(tx, &loaded, &posting, reference, &Actor::till())?, "the same reason twice");
            Ok(Ok(posting))
        };
        self.app.store.write(store).unwrap()
    }

    fn proof(&self) -> Result<Proof> {
        verify(&self.app, |_| ())
    }

    /// The proof holds, and what is stored is what the moves add up to.
    fn check(&self) {
        let proof = self.proof().unwrap();
        assert!(proof.breaks.is_empty(), "{:#?}", proof.breaks);
        let sums = self.hand().rows(
            "SELECT u.id, a.remaining, COALESCE(SUM(e.delta), 0),
                    COALESCE(SUM(e.delta) FILTER (WHERE e.kind <> 'expiry'), 0), COUNT(e.seq)
                FROM users u JOIN accounts a ON a.account = u.account LEFT JOIN entries e ON e.account = u.account
                GROUP BY u.id, a.remaining",
        );
        let numbers = |row: &[String]| [1, 2, 3, 4].map(|at: usize| row[at].parse::<i64>().unwrap());
        let found: BTreeMap<String, [i64; 4]> = sums.iter().map(|row| (row[0].clone(), numbers(row))).collect();
        for (number, sum) in self.sums.iter().enumerate() {
            let [remaining, deltas, without_expiries, _] = found[&user(number)];
            assert_eq!((remaining, without_expiries), (deltas, *sum), "{}", user(number));
        }
        let entries: i64 = found.values().map(|row| row[3]).sum();
        assert_eq!((proof.accounts, i64::try_from(proof.entries).unwrap()), (found.len() as u64, entries));
    }
}

/// Stores a payment, new or changed.
fn keep(tx: &mut dyn Tx, account: i64, bought: &Bought) -> Result<()> {
    let new = Payment {
        reference: bought.reference.clone(),
        account,
        kind: OfferKind::Pack,
        units_granted: bought.payment.units_granted,
        units_reversed: 0,
        amount: 900,
        cost: 900,
        currency: "usd".into(),
        offer: "topup_100".into(),
        out_of_band: false,
        session: None,
        payment_intent: Some(bought.reference.clone()),
        charge: None,
        invoice: None,
        refunded_total: 0,
        reversals: 0,
        paid_at: START,
    };
    if !payments::add(tx, &new)? {
        let ledger::Payment { units_granted, units_reversed, .. } = bought.payment;
        payments::set_totals(tx, &bought.reference, units_granted, units_reversed, bought.reversals)?;
    }
    Ok(())
}

fn user(number: usize) -> String {
    format!("user_{number}")
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => (1i64..200, proptest::option::of(1i64..50)).prop_map(|(units, lives)| Move::Grant { units, lives }),
        3 => (1i64..200).prop_map(|units| Move::Buy { units }),
        1 => (1i64..100).prop_map(|units| Move::Correct { units }),
        4 => (1i64..150).prop_map(|units| Move::Spend { units }),
        3 => (0usize..3, 0i64..250).prop_map(|(payment, take)| Move::Reverse { payment, take }),
        2 => (1i64..40).prop_map(|millis| Move::Wait { millis }),
        1 => Just(Move::Expire),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_books_add_up_and_the_proof_holds(
        moves in proptest::collection::vec((0..ACCOUNTS, any_move()), 1..50),
    ) {
        let mut books = Books::open();
        for (whose, step) in &moves {
            books.make(*whose, step);
        }
        books.check();
    }
}
