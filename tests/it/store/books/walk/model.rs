//! What a user must have, kept by the rules of the contract (section 5) alone: lots, holds and a debt. Nothing of it is
//! taken from the code under test.

/// Units credited together.
pub struct Lot {
    pub expires: Option<i64>,
    pub free: i64,
}

pub struct Hold {
    pub units: i64,
    pub ends: i64,
    /// Lot and units.
    pub parts: Vec<(usize, i64)>,
    pub open: bool,
}

impl Hold {
    fn is_over(&self, now: i64) -> bool {
        self.open && self.ends <= now
    }
}

/// A payment of a pack of 100 units for 900.
#[derive(Default)]
pub struct Payment {
    lot: usize,
    pub stated: i64,
    pub withdrawn: bool,
    taken: i64,
    pub disputes: usize,
}

#[derive(Default)]
pub struct Model {
    pub lots: Vec<Lot>,
    pub holds: Vec<Hold>,
    pub payments: Vec<Payment>,
    pub debt: i64,
    pub total: i64,
}

pub const PAID: i64 = 900;
pub const GAVE: i64 = 100;

impl Model {
    pub fn free(&self) -> i64 {
        self.lots.iter().map(|lot| lot.free).sum()
    }

    pub fn held(&self) -> i64 {
        self.holds.iter().filter(|hold| hold.open).map(|hold| hold.units).sum()
    }

    pub fn remaining(&self) -> i64 {
        self.free() + self.held() - self.debt
    }

    pub fn available(&self) -> i64 {
        self.remaining() - self.held()
    }

    /// When something ends next.
    pub fn next_end(&self) -> Option<i64> {
        let lots = self.lots.iter().filter(|lot| lot.free > 0).filter_map(|lot| lot.expires);
        lots.chain(self.holds.iter().filter(|hold| hold.open).map(|hold| hold.ends)).min()
    }

    /// Holds that are over give back, in the order of their ends; then what is free of lots that are over is gone.
    pub fn close_due(&mut self, now: i64) {
        let mut over: Vec<usize> = (0..self.holds.len()).filter(|number| self.holds[*number].is_over(now)).collect();
        over.sort_by_key(|number| (self.holds[*number].ends, *number));
        over.into_iter().for_each(|number| self.close(number, 0));
        for lot in self.lots.iter_mut().filter(|lot| lot.expires.is_some_and(|end| end <= now)) {
            lot.free = 0;
        }
    }

    pub fn credit(&mut self, units: i64, expires: Option<i64>) {
        let repaid = self.debt.min(units);
        self.debt -= repaid;
        self.lots.push(Lot { expires, free: units - repaid });
        self.total += units;
    }

    pub fn buy(&mut self, expires: Option<i64>) {
        self.credit(GAVE, expires);
        self.payments.push(Payment { lot: self.lots.len() - 1, ..Payment::default() });
    }

    /// Takes what is free, in the order of rule 9; the rest is owed.
    pub fn take(&mut self, units: i64) -> Vec<(usize, i64)> {
        let (mut left, mut parts) = (units, vec![]);
        for number in self.order() {
            let taken = left.min(self.lots[number].free);
            if taken > 0 {
                self.lots[number].free -= taken;
                left -= taken;
                parts.push((number, taken));
            }
        }
        self.debt += left;
        parts
    }

    pub fn hold(&mut self, units: i64, ends: i64) {
        let parts = self.take(units);
        self.holds.push(Hold { units, ends, parts, open: true });
    }

    /// Uses so many of a hold's units, the soonest-expiring first; the rest goes back, first into what is owed.
    pub fn close(&mut self, number: usize, used: i64) {
        self.holds[number].open = false;
        let mut left = used;
        for (lot, units) in self.holds[number].parts.clone() {
            let here = left.min(units);
            left -= here;
            self.lots[lot].free += units - here;
        }
        let owed = std::mem::take(&mut self.debt);
        self.take(owed);
    }

    /// Brings what reversals take of a payment to what rule 7 says.
    pub fn reassess(&mut self, number: usize) {
        let payment = &mut self.payments[number];
        let (lot, refund) = (payment.lot, GAVE * payment.stated / PAID);
        let take = (refund + if payment.withdrawn { GAVE } else { 0 }).min(GAVE);
        let more = take - std::mem::replace(&mut payment.taken, take);
        if more > 0 {
            let own = more.min(self.lots[lot].free);
            self.lots[lot].free -= own;
            self.take(more - own);
        } else {
            let repaid = self.debt.min(-more);
            self.debt -= repaid;
            self.lots[lot].free += -more - repaid;
        }
    }

    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.lots.len()).collect();
        order.sort_by_key(|number| (self.lots[*number].expires.unwrap_or(i64::MAX), *number));
        order
    }
}
