//! Units that a user spent, day by day. Entries are only ever added, so sums that were made once stay true, and only what was
//! added since has to be read.

use crate::clock::day_start;
use crate::error::Result;
use crate::store::{Tx, entries};

/// Units spent on each day (UTC), up to an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DailyUse {
    account: i64,
    /// The number of the last entry that is in it.
    last: i64,
    /// The first day that it tells of, in whole days since 1970-01-01.
    first_day: i64,
    /// Days with their units, oldest first. Days without use are left out.
    days: Vec<(i64, i64)>,
}

impl DailyUse {
    /// What the account spent from `first_day` on. `last` is its last entry in this transaction, and `known` what was known
    /// before, perhaps of another time.
    pub(crate) fn read(
        tx: &mut dyn Tx,
        account: i64,
        last: i64,
        first_day: i64,
        known: Option<&DailyUse>,
    ) -> Result<DailyUse> {
        let is_part =
            |known: &&DailyUse| known.account == account && known.first_day <= first_day && known.last <= last;
        let known = known.filter(is_part).cloned().unwrap_or_default();
        let mut days = known.days;
        days.retain(|(day, _)| *day >= first_day);
        let since = day_start(first_day);
        let added = if last > known.last { entries::spent_by_day(tx, account, known.last, since)? } else { vec![] };
        for (day, units) in added {
            match days.binary_search_by_key(&day, |(known, _)| *known) {
                Ok(at) => days[at].1 = days[at].1.saturating_add(units),
                Err(at) => days.insert(at, (day, units)),
            }
        }
        Ok(DailyUse { account, last, first_day, days })
    }

    /// Units spent on a day.
    pub(crate) fn on(&self, day: i64) -> i64 {
        self.days.iter().find(|(spent_on, _)| *spent_on == day).map_or(0, |(_, units)| *units)
    }
}
