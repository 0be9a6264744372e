//! A long life of one user, through the use cases that the doors call, against a model that knows the contract's rules
//! alone: credits with and without an end, spends, batches, holds, captures, releases, corrections, purchases, refunds and
//! disputes, at moments that fall together; and everything asked again later.

mod model;

use std::sync::mpsc::sync_channel;

use serde_json::json;
use till::clock::Timestamp;
use till::error::{Error, Refused, Result};
use till::usecase::units::expire::expire;
use till::usecase::units::grant::{GrantRequest, grant};
use till::usecase::units::hold::{self, Closing, HoldRequest};
use till::usecase::units::request::{IdempotencyKey, Note};
use till::usecase::units::spend::{self, SpendRequest};
use till::usecase::users;

use crate::harness::life::{Life, event};
use crate::harness::lots;
use model::{Model, PAID};

/// A pack whose units live for a day.
const CATALOG: &str = r#"
currency = "usd"
low_balance = 20
[[plan]]
key = "free"
amount = 0
units = 0
interval = "month"
[[pack]]
key = "topup_100"
amount = 900
units = 100
expiry = 1
price_id = "price_topup_100"
"#;
const DAY: i64 = 86_400_000;

/// Small whole numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

struct Walk {
    life: Life,
    model: Model,
    dice: Dice,
    now: i64,
    step: usize,
    spends: Vec<(SpendRequest, String)>,
    wanted: Vec<(HoldRequest, String)>,
    closings: Vec<(usize, Closing, String)>,
}

/// What a use case answers by its callback.
fn wait<T: Send + 'static>(begin: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>)) -> Result<T> {
    let (reply, answer) = sync_channel(1);
    begin(Box::new(move |result| reply.send(result).unwrap()));
    answer.recv().unwrap()
}

impl Walk {
    fn begin(seed: u64) -> Walk {
        let life = Life::begin_with("http://127.0.0.1:1", Some(CATALOG));
        let now = life.clock.now().millis();
        let (dice, model) = (Dice(seed), Model::default());
        Walk { life, model, dice, now, step: 0, spends: vec![], wanted: vec![], closings: vec![] }
    }

    fn go(&mut self) {
        self.step += 1;
        match self.dice.below(24) {
            0..4 => self.spend(),
            4 => self.batch(),
            5..8 => self.hold(),
            8..11 => self.close(),
            11..13 => self.credit(),
            13 => self.correct(),
            14 => self.buy(),
            15..17 => self.reverse(),
            17 => drop(expire(&self.life.app).unwrap()),
            18 | 19 => self.ask_again(),
            _ => self.pass_time(),
        }
    }

    fn key(&self) -> IdempotencyKey {
        IdempotencyKey::parse(&format!("k{} %_'~\"", self.step)).unwrap()
    }

    fn units(&mut self) -> i64 {
        // Often what empties something to the last unit.
        let exact = match self.dice.below(4) {
            0 => self.model.available(),
            1 => self.model.lots.iter().map(|lot| lot.free).find(|free| *free > 0).unwrap_or(0),
            _ => 0,
        };
        if exact > 0 { exact } else { 1 + self.dice.below(60) }
    }

    fn check_spent(&mut self, wanted: &SpendRequest, spent: Result<spend::SpendResult>) {
        self.model.close_due(self.now);
        let units = wanted.units.count();
        match spent {
            Ok(spent) => {
                assert!(self.model.available() >= units && !spent.replayed, "{}", self.step);
                self.model.take(units);
                let entry = (spent.entry.delta, spent.entry.balance_after, spent.entry.reason.clone());
                assert_eq!(entry, (-units, self.model.remaining(), format!("spend_{}", wanted.key)), "{}", self.step);
                self.spends.push((wanted.clone(), format!("{:?}", spent.entry)));
            }
            Err(Error::Refused(Refused::InsufficientUnits { required, available, .. })) => {
                assert!(available < units, "{}", self.step);
                assert_eq!((required, available), (units, self.model.available()), "{}", self.step);
            }
            Err(other) => panic!("{}: {other}", self.step),
        }
    }

    fn spend(&mut self) {
        let wanted = SpendRequest::new("alice".into(), self.units(), None, self.key()).unwrap();
        let spent = wait(|then| spend::spend(&self.life.app, wanted.clone(), then));
        self.check_spent(&wanted, spent);
    }

    fn batch(&mut self) {
        let rows = 1 + self.dice.below(5);
        let mut one = |n| {
            let key = IdempotencyKey::parse(&format!("{}/{n}", self.key())).unwrap();
            SpendRequest::new("alice".into(), self.units(), None, key).unwrap()
        };
        let spends: Vec<SpendRequest> = (0..rows).map(&mut one).collect();
        let results = wait(|then| spend::batch(&self.life.app, spends.iter().cloned().map(Ok).collect(), then));
        for (wanted, result) in spends.iter().zip(results.unwrap()) {
            self.check_spent(wanted, result.map_err(Error::from));
        }
    }

    fn hold(&mut self) {
        let (units, seconds) = (self.units(), 1 + self.dice.below(40));
        let wanted = HoldRequest::new("alice".into(), units, Some(seconds), Some("n".into()), self.key()).unwrap();
        self.model.close_due(self.now);
        match wait(|then| hold::hold(&self.life.app, wanted.clone(), then)) {
            Ok(receipt) => {
                assert!(self.model.available() >= units && !receipt.replayed, "{}", self.step);
                self.model.hold(units, self.now + seconds * 1000);
                assert_eq!(receipt.hold.id(), format!("hld_1_{}", self.model.holds.len()), "{}", self.step);
                self.wanted.push((wanted, format!("{:?}", receipt.hold)));
            }
            Err(Error::Refused(Refused::InsufficientUnits { required, available, .. })) => {
                assert!(available < units, "{}", self.step);
                assert_eq!((required, available), (units, self.model.available()), "{}", self.step);
            }
            Err(other) => panic!("{}: {other}", self.step),
        }
    }

    fn close(&mut self) {
        let count = i64::try_from(self.model.holds.len()).unwrap();
        if count == 0 {
            return;
        }
        let number = usize::try_from(count - 1 - self.dice.below(count.min(4))).unwrap();
        let units = self.model.holds[number].units;
        let used = 1 + self.dice.below(units);
        let (closing, used) = match self.dice.below(3) {
            0 => (Closing::Release, 0),
            1 => (Closing::capture(None).unwrap(), units),
            _ => (Closing::capture(Some(used)).unwrap(), used),
        };
        self.model.close_due(self.now);
        let id = format!("hld_1_{}", number + 1);
        match wait(|then| hold::close(&self.life.app, &id, closing, then)) {
            Ok(receipt) if receipt.replayed => assert!(!self.model.holds[number].open, "{}", self.step),
            Ok(receipt) => {
                assert!(self.model.holds[number].open, "{}", self.step);
                self.model.close(number, used);
                assert_eq!(receipt.hold.captured, used);
                self.closings.push((number, closing, format!("{:?}", receipt.hold)));
            }
            Err(Error::Refused(Refused::HoldNotOpen(_))) => {
                assert!(!self.model.holds[number].open, "{}", self.step)
            }
            Err(other) => panic!("{}: {other}", self.step),
        }
        self.model.close_due(self.now);
    }

    fn give(&mut self, units: i64, expires: Option<i64>) {
        let expires_at = expires.map(Timestamp::from_millis);
        let given = GrantRequest::new(units, "n".into(), expires_at, self.key()).unwrap();
        self.model.close_due(self.now);
        let first = grant(&self.life.app, "alice", &given).unwrap();
        let again = grant(&self.life.app, "alice", &given).unwrap();
        assert_eq!((first.replayed, again.replayed, &first.entry), (false, true, &again.entry));
    }

    fn credit(&mut self) {
        let (units, lives) = (1 + self.dice.below(90), 1000 * (1 + self.dice.below(40)));
        // Often together with something else's end.
        let expires = match self.dice.below(4) {
            0 => None,
            1 => self.model.next_end().filter(|end| *end > self.now),
            _ => Some(self.now + lives),
        };
        self.give(units, expires);
        self.model.credit(units, expires);
    }

    fn correct(&mut self) {
        let units = self.units();
        self.give(-units, None);
        self.model.take(units);
    }

    fn hear(&mut self, kind: &str, object: serde_json::Value) {
        let event = event(&self.step.to_string(), kind, i64::try_from(self.step).unwrap(), object);
        self.model.close_due(self.now);
        self.life.hear(&event);
        self.life.hear(&event);
    }

    fn buy(&mut self) {
        let number = self.model.payments.len();
        let session = json!({"id": format!("cs_{number}"), "object": "checkout.session", "mode": "payment",
            "status": "complete", "payment_status": "paid", "payment_intent": format!("pi_{number}"),
            "amount_total": PAID, "currency": "usd", "line_items": {"object": "list", "has_more": false, "data": [{"id": "li_1", "price": {"id": "price_topup_100"}, "quantity": 1}]}, "metadata": {"user_id": "alice", "plan": "topup_100"}});
        self.hear("checkout.session.completed", session);
        self.model.buy(Some(self.now + DAY));
    }

    fn reverse(&mut self) {
        let count = i64::try_from(self.model.payments.len()).unwrap();
        if count == 0 {
            return;
        }
        let number = usize::try_from(self.dice.below(count)).unwrap();
        let (charge, intent) = (format!("ch_{number}"), format!("pi_{number}"));
        if self.dice.below(2) == 0 {
            let stated = self.dice.below(PAID + 1).max(self.model.payments[number].stated);
            let object = json!({"id": charge, "object": "charge", "status": "succeeded", "amount": PAID,
                "amount_refunded": stated, "currency": "usd", "payment_intent": intent,
                "refunds": {"object": "list", "has_more": false, "data": []}});
            self.hear("charge.refunded", object);
            self.model.payments[number].stated = stated;
        } else {
            let withdrawn = !self.model.payments[number].withdrawn;
            let funds = if withdrawn { vec![-PAID] } else { vec![-PAID, PAID] };
            // Each round is another dispute: one that is closed stays so.
            let round = self.dispute_of(number, withdrawn);
            let funds: Vec<_> = funds.iter().map(|amount| json!({"id": "txn", "amount": amount})).collect();
            let (kind, status) = if withdrawn { ("funds_withdrawn", "needs_response") } else { ("closed", "won") };
            let object = json!({"id": format!("du_{number}_{round}"), "object": "dispute", "status": status,
                "amount": PAID, "currency": "usd", "charge": charge, "payment_intent": intent,
                "balance_transactions": funds});
            self.hear(&format!("charge.dispute.{kind}"), object);
            self.model.payments[number].withdrawn = withdrawn;
        }
        self.model.reassess(number);
    }

    fn dispute_of(&mut self, number: usize, new: bool) -> usize {
        let payment = &mut self.model.payments[number];
        payment.disputes += usize::from(new);
        payment.disputes
    }

    /// Whatever was answered is answered so again, at any time and with any balance; another body is refused.
    fn ask_again(&mut self) {
        let (app, pick) = (&self.life.app, usize::try_from(self.dice.below(1 << 20)).unwrap());
        if let Some((wanted, first)) = self.spends.get(pick % self.spends.len().max(1)) {
            let again = wait(|then| spend::spend(app, wanted.clone(), then)).unwrap();
            assert_eq!((again.replayed, &format!("{:?}", again.entry)), (true, first));
            let other = SpendRequest { note: Note::parse("other".into()).ok(), ..wanted.clone() };
            let refused = wait(|then| spend::spend(app, other, then));
            assert!(matches!(refused, Err(Error::Refused(Refused::IdempotencyKeyReused(_)))), "{refused:?}");
        }
        if let Some((wanted, first)) = self.wanted.get(pick % self.wanted.len().max(1)) {
            let again = wait(|then| hold::hold(app, wanted.clone(), then)).unwrap();
            assert_eq!((again.replayed, &format!("{:?}", again.hold)), (true, first));
            let other = HoldRequest { seconds: wanted.seconds + 1, ..wanted.clone() };
            let refused = wait(|then| hold::hold(app, other, then));
            assert!(matches!(refused, Err(Error::Refused(Refused::IdempotencyKeyReused(_)))), "{refused:?}");
        }
        if let Some((number, closing, first)) = self.closings.get(pick % self.closings.len().max(1)) {
            let id = format!("hld_1_{}", number + 1);
            let again = wait(|then| hold::close(app, &id, *closing, then)).unwrap();
            assert_eq!((again.replayed, &format!("{:?}", again.hold)), (true, first));
        }
    }

    /// On, often to the very moment at which something ends, or just before it; now and then a little back.
    fn pass_time(&mut self) {
        let next = self.model.next_end().filter(|end| *end > self.now);
        self.now = match (self.dice.below(8), next) {
            (0..3, Some(end)) => end,
            (3, Some(end)) => end - 1,
            (4, _) => self.now - 3,
            _ => self.now + 1 + self.dice.below(8000),
        };
        self.life.clock.set(Timestamp::from_millis(self.now));
    }

    /// What is shown is what the model says.
    fn check(&mut self, seed: u64) {
        self.model.close_due(self.now);
        let balance = users::show(&self.life.app, "alice").unwrap().balance;
        assert_eq!(
            [balance.total, balance.remaining, balance.held, balance.available()],
            [self.model.total, self.model.remaining(), self.model.held(), self.model.available()],
            "seed {seed}, step {}",
            self.step
        );
        lots::check(&self.life.app, 1, &format!("seed {seed}, step {}", self.step));
    }
}

#[test]
fn a_life_of_any_turns_is_what_the_rules_say() {
    for seed in 1..=6u64 {
        let mut walk = Walk::begin(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for step in 0..400 {
            walk.go();
            if step % 5 == 0 {
                walk.check(seed);
            }
            if step % 40 == 0 {
                walk.life.prove();
            }
        }
        walk.check(seed);
        walk.life.prove();
    }
}
