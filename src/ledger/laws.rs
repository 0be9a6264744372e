//! The rules of the books, checked against random sequences of moves. Tests only.
#![allow(clippy::arithmetic_side_effects, reason = "an overflow in a test is a failed test, as it should be")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Move {
    Credit { units: i64, lives: Option<i64> },
    Spend { units: i64 },
    Correct { units: i64 },
    Reverse { payment: usize, take: i64 },
    Hold { units: i64 },
    Capture { hold: usize, units: i64 },
    Release { hold: usize },
    Wait { millis: i64 },
    Extend { lot: usize, millis: i64 },
    EndGrace { lot: usize },
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => (1i64..200, proptest::option::of(1i64..50)).prop_map(|(units, lives)| Move::Credit { units, lives }),
        4 => (1i64..150).prop_map(|units| Move::Spend { units }),
        1 => (1i64..100).prop_map(|units| Move::Correct { units }),
        3 => (0usize..8, 0i64..250).prop_map(|(payment, take)| Move::Reverse { payment, take }),
        3 => (1i64..120).prop_map(|units| Move::Hold { units }),
        2 => (0usize..4, 1i64..120).prop_map(|(hold, units)| Move::Capture { hold, units }),
        1 => (0usize..4).prop_map(|hold| Move::Release { hold }),
        2 => (1i64..40).prop_map(|millis| Move::Wait { millis }),
        1 => (0usize..8, 1i64..40).prop_map(|(lot, millis)| Move::Extend { lot, millis }),
        1 => (0usize..8).prop_map(|lot| Move::EndGrace { lot }),
    ]
}

/// The ledger under test, with everything that the rules are checked against.
struct Books {
    account: Account,
    entries: Vec<Entry>,
    payments: Vec<Payment>,
    holds: Vec<Vec<Part>>,
    now: Timestamp,
    /// What happened, in order.
    records: Vec<Record>,
    /// What all moves together changed of the value of lots.
    value: BTreeMap<Option<Currency>, ValueChange>,
}

/// What was paid for a lot: nothing, or money that its units do not divide.
fn cost_of(seq: i64) -> Option<Cost> {
    let currency = Currency::new(if seq % 3 == 1 { "usd" } else { "jpy" })?;
    (seq % 3 != 0).then_some(Cost { amount: seq * 1000 + 7, currency })
}

fn add_value(
    sums: &mut BTreeMap<Option<Currency>, ValueChange>,
    before: &[Lot],
    after: &[Lot],
    lot_change: LotChange<'_>,
) {
    for (currency, change) in value_changes(before, after, lot_change) {
        let sum = sums.entry(currency).or_default();
        sum.added += change.added;
        sum.earned += change.earned;
        sum.forfeited += change.forfeited;
        sum.reversed += change.reversed;
        sum.left += change.left;
    }
}

/// What is known of a move afterwards.
enum Record {
    /// An entry by its place, with the hold that it captured or the payment that it reversed.
    Entry(usize, Option<Vec<Part>>, Vec<i64>),
    Hold(Vec<Part>),
    Release(Vec<Part>),
}

impl Books {
    fn open() -> Books {
        Books {
            account: Account::open(1),
            entries: vec![],
            payments: vec![],
            holds: vec![],
            now: Timestamp::from_millis(1000),
            records: vec![],
            value: BTreeMap::new(),
        }
    }

    fn post(&mut self, posting: Posting) {
        self.post_of(posting, None, vec![]);
    }

    fn post_of(&mut self, posting: Posting, captured: Option<Vec<Part>>, reversed: Vec<i64>) {
        self.records.push(Record::Entry(self.entries.len(), captured, reversed));
        let before = self.account.remaining;
        assert_eq!(posting.entry.balance_after, before + posting.entry.delta, "rule 1: running balance");
        add_value(&mut self.value, &self.account.lots, &posting.after.lots, LotChange::Entry(&posting.entry));
        self.account = posting.after;
        self.entries.push(posting.entry);
    }

    fn expire_due(&mut self) {
        while let Some(posting) = expire(&self.account, self.now) {
            self.post(posting.unwrap());
        }
        assert!(!due(&self.account, self.now));
    }

    fn make(&mut self, step: Move) {
        self.expire_due();
        let available = self.account.available(self.now);
        let reason = format!("r_{}", self.entries.len());
        match step {
            Move::Credit { units, lives } => {
                let debt = self.account.debt();
                let expires_at = lives.map(|millis| self.now.plus_millis(millis));
                let units = Units::new(units).unwrap();
                let cost = cost_of(self.account.entries + 1);
                let posting = credit(
                    &self.account,
                    Credit { kind: Kind::Subscription, units, reason, note: None, expires_at, cost },
                    self.now,
                )
                .unwrap();
                let units_granted = units.count();
                let lot = posting.entry.seq;
                self.post(posting);
                self.payments.push(Payment { lots: vec![lot], units_granted, units_reversed: 0 });
                assert_eq!(
                    self.account.debt(),
                    (debt - units_granted).max(0),
                    "rule 8: a credit repays the debt first"
                );
            }
            Move::Spend { units } => {
                let wanted = Spend { units: Units::new(units).unwrap(), reason, note: None };
                match spend(&self.account, wanted, self.now) {
                    Ok(posting) => {
                        assert!(available >= units, "rule 2: only what is available");
                        self.check_order(&posting);
                        self.post(posting);
                        assert!(self.account.remaining >= self.account.held, "rule 2: never below zero by spending");
                    }
                    Err(refusal) => {
                        assert_eq!(refusal, Refusal::InsufficientUnits { required: units, available });
                        assert!(available < units);
                    }
                }
            }
            Move::Correct { units } => {
                let posting =
                    correct(&self.account, Kind::Grant, Units::new(units).unwrap(), reason, None, self.now).unwrap();
                self.post(posting);
            }
            Move::Reverse { payment, take } => self.reverse(payment, take, reason),
            Move::Hold { units } => self.hold(units, available),
            Move::Capture { hold, units } => self.capture(hold, units, reason),
            Move::Release { hold } => {
                if hold < self.holds.len() {
                    let parts = self.holds.remove(hold);
                    let remaining = self.account.remaining;
                    let after = release(&self.account, &parts).unwrap();
                    add_value(&mut self.value, &self.account.lots, &after.lots, LotChange::Hold(self.now));
                    self.account = after;
                    self.records.push(Record::Release(parts));
                    assert_eq!(self.account.remaining, remaining, "a release moves no units");
                }
            }
            Move::Wait { millis } => self.now = self.now.plus_millis(millis),
            Move::Extend { lot, millis } => self.extend(lot, millis),
            Move::EndGrace { lot } => {
                if let Some(seq) = self.account.lots.get(lot).map(|lot| lot.seq) {
                    self.account = end_grace(&self.account, seq).unwrap();
                }
            }
        }
    }

    /// Rule 9: a lot with a grace lives until then and not longer, in its own place.
    fn extend(&mut self, lot: usize, millis: i64) {
        let Some(lot) = self.account.lots.get(lot).cloned() else { return };
        let until = lot.expires_at.unwrap_or(self.now).plus_millis(millis);
        match extend(&self.account, lot.seq, until) {
            Ok(after) => {
                let extended = after.lots.iter().find(|after| after.seq == lot.seq).unwrap();
                assert_eq!(extended, &Lot { grace_until: Some(until), ..lot });
                assert!(!extended.is_over(until.plus_millis(-1)) && extended.is_over(until));
                self.account = after;
            }
            Err(refusal) => assert!(lot.expires_at.is_none(), "{refusal:?}"),
        }
    }

    fn hold(&mut self, units: i64, available: i64) {
        match hold(&self.account, Units::new(units).unwrap(), self.now) {
            Ok(held) => {
                assert!(available >= units, "rule 2: only what is available");
                assert_eq!(held.parts.iter().map(|part| part.units).sum::<i64>(), units);
                assert_eq!(held.after.available(self.now), available - units);
                self.account = held.after;
                self.records.push(Record::Hold(held.parts.clone()));
                self.holds.push(held.parts);
            }
            Err(refusal) => {
                assert_eq!(refusal, Refusal::InsufficientUnits { required: units, available });
                assert!(available < units);
            }
        }
    }

    fn capture(&mut self, hold: usize, units: i64, reason: String) {
        let Some(parts) = self.holds.get(hold).cloned() else { return };
        let held: i64 = parts.iter().map(|part| part.units).sum();
        let wanted = Capture { units: Units::new(units).unwrap(), reason, note: None };
        match capture(&self.account, &parts, wanted, self.now) {
            Ok(posting) => {
                assert!(units <= held, "at most what is held");
                assert_eq!(posting.after.held, self.account.held - held, "the rest goes back");
                self.post_of(posting, Some(parts), vec![]);
                self.holds.remove(hold);
            }
            Err(_) => assert!(units > held, "what is held can be used, whatever happened since"),
        }
    }

    fn reverse(&mut self, payment: usize, take: i64, reason: String) {
        let Some(payment_before) = self.payments.get(payment).cloned() else { return };
        let own = self.account.lots.iter().find(|lot| lot.seq == payment_before.lots[0]).unwrap().free();
        let wanted = Reversal { kind: Kind::Refund, take, reason, note: None };
        let Some(posting) = reverse(&self.account, &payment_before, wanted, self.now).unwrap() else { return };
        let delta = posting.entry.delta;
        self.post_of(posting, None, payment_before.lots.clone());
        let units_reversed = payment_before.units_reversed - delta;
        assert!((0..=payment_before.units_granted).contains(&units_reversed), "rule 7: never more than it gave");
        self.payments[payment].units_reversed = units_reversed;
        if delta < 0 {
            let left = self.account.lots.iter().find(|lot| lot.seq == payment_before.lots[0]).unwrap().free();
            assert_eq!(left, (own + delta).max(0), "rule 8: first from the payment's own lot");
        }
    }

    /// Rule 9: no lot is touched while one that comes before it still has free units.
    fn check_order(&self, posting: &Posting) {
        let mut order: Vec<_> = posting.after.lots.iter().filter(|lot| !lot.is_over(self.now)).collect();
        order.sort_by_key(|lot| (lot.expires_at.is_none(), lot.expires_at, lot.seq));
        let touched = |lot: &Lot| self.account.lots.iter().any(|b| b.seq == lot.seq && b.remaining != lot.remaining);
        if let Some(last) = order.iter().rposition(|lot| touched(lot)) {
            assert!(order[..last].iter().all(|lot| lot.free() == 0), "rule 9: {order:?}");
        }
    }

    /// What was recorded leads to the same lots again, and accounts for each unit.
    fn check_replay(&self) {
        let mut replay = Replay::begin(Account::open(1), []);
        let mut value = BTreeMap::new();
        for record in &self.records {
            let before = replay.open_lots().to_vec();
            match record {
                Record::Hold(parts) => replay.hold(parts).unwrap(),
                Record::Release(parts) => {
                    replay.release(parts).unwrap();
                    add_value(&mut value, &before, replay.open_lots(), LotChange::Hold(self.now));
                }
                Record::Entry(place, captured, reversed) => {
                    let subject = match captured {
                        Some(parts) => Subject::Hold(parts),
                        None if reversed.is_empty() => Subject::Account,
                        None => Subject::Payment(reversed),
                    };
                    let entry = &self.entries[*place];
                    let effect = replay.entry(entry, subject).unwrap();
                    if self.account.lots.iter().any(|lot| lot.seq == entry.seq) {
                        replay.set_cost(entry.seq, cost_of(entry.seq));
                    }
                    add_value(&mut value, &before, &replay.lots_with(entry.seq), LotChange::Entry(entry));
                    let taken: i64 = effect.taken.iter().map(|part| part.units).sum();
                    let put = effect.put.map_or(0, |part| part.units);
                    assert_eq!(entry.delta, put + effect.repaid - taken - effect.owed, "{entry:?}: {effect:?}");
                }
            }
        }
        let moved = |sums: BTreeMap<Option<Currency>, ValueChange>| {
            sums.into_iter().filter(|(_, sum)| *sum != ValueChange::default()).collect::<Vec<_>>()
        };
        assert_eq!(moved(value), moved(self.value.clone()));
        let fates = replay.into_fates();
        assert_eq!(fates.len(), self.account.lots.len());
        for lot in &self.account.lots {
            let fate = fates[&lot.seq];
            assert_eq!((fate.units, fate.left, fate.held), (lot.units, lot.remaining, lot.held), "{lot:?}");
            assert_eq!(fate.expired, lot.expired);
            let gone = fate.spent + fate.expired + fate.reversed + fate.corrected + fate.repaid;
            assert_eq!(fate.units + fate.returned - gone, fate.left, "{fate:?}");
        }
    }

    fn check(&self) {
        let account = &self.account;
        let in_lots: i64 = account.lots.iter().map(|lot| lot.remaining).sum();
        assert_eq!(account.remaining, self.entries.iter().map(|e| e.delta).sum::<i64>(), "rule 1");
        assert_eq!(account.held, account.lots.iter().map(|lot| lot.held).sum::<i64>());
        assert_eq!(account.held, self.holds.iter().flatten().map(|part| part.units).sum::<i64>());
        assert_eq!(account.remaining, in_lots - account.debt());
        assert!(account.debt() >= 0, "units out of nowhere");
        let free: i64 = account.lots.iter().map(Lot::free).sum();
        assert!(account.debt() == 0 || free == 0, "a debt beside free units: {account:?}");
        for (currency, sum) in &self.value {
            let lots = account.lots.iter().filter(|lot| lot.cost.map(|cost| cost.currency) == *currency);
            let (value, left) = lots.fold((0, 0), |(value, left), lot| (value + lot.value(), left + lot.remaining));
            assert_eq!(sum.added - sum.earned - sum.forfeited - sum.reversed, value, "{currency:?}: {account:?}");
            assert_eq!(sum.left, left, "{currency:?}: {account:?}");
        }
        for lot in &account.lots {
            assert!(0 <= lot.held && lot.held <= lot.remaining, "{lot:?}");
        }
        let mut reasons: Vec<_> = self.entries.iter().map(|e| &e.reason).collect();
        reasons.sort();
        reasons.dedup();
        assert_eq!(reasons.len(), self.entries.len(), "rule 3: a reason is unique");
        let mut chain = Chain::start(1);
        self.entries.iter().for_each(|entry| chain.follow(entry).unwrap());
        assert_eq!(
            (chain.remaining, chain.credited, chain.head),
            (account.remaining, account.credited, account.head),
            "rule 10"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_moves_keeps_the_rules(moves in proptest::collection::vec(any_move(), 1..40)) {
        let mut books = Books::open();
        for step in moves {
            books.make(step);
            books.check();
        }
        books.check_replay();
    }

    /// Rule 10: if anything in the middle is changed, removed or repeated, the walk fails or ends at another hash.
    #[test]
    fn no_tampering_passes(
        moves in proptest::collection::vec(any_move(), 5..30),
        victim in any::<prop::sample::Index>(),
        how in 0u8..5,
    ) {
        let mut books = Books::open();
        moves.into_iter().for_each(|step| books.make(step));
        prop_assume!(books.entries.len() > 1);
        let at = victim.index(books.entries.len());
        let honest = books.account.head;
        let mut entries = books.entries;
        match how {
            0 => entries[at].delta += 1,
            1 => { entries[at].delta += 1; entries[at..].iter_mut().for_each(|e| e.balance_after += 1); }
            2 => { entries.remove(at); }
            3 => { let copy = entries[at].clone(); entries.insert(at, copy); }
            _ => entries[at].reason.push('x'),
        }
        let mut chain = Chain::start(1);
        let walked = entries.iter().try_for_each(|entry| chain.follow(entry));
        prop_assert!(walked.is_err() || chain.head != honest);
    }
}
