//! The demonstration's user has used units before: its first entries are dated back. The ledger makes them by the same rules
//! as all others; only their time is chosen.

use crate::app::App;
use crate::clock::DAY_SECONDS;
use crate::error::{Fault, Result};
use crate::id;
use crate::ledger::{self, Credit, Kind, Spend, Units};
use crate::store::users;
use crate::usecase::units::posting::{self, PostingContext};

/// An entry of the past.
pub(super) struct PastEntry {
    pub days_ago: i64,
    /// Units come in with [`Kind::Grant`], and go out with any other kind.
    pub kind: Kind,
    pub units: i64,
    pub note: &'static str,
}

/// Writes `past`, oldest first, as the first entries of the user's account, under the reasons `grant_demo_1`,
/// `spend_demo_2` and so on. An account that has entries already stays as it is.
pub(super) fn write(app: &App, user_id: &'static str, past: Vec<PastEntry>) -> Result<()> {
    // Nobody needs to know now that the balance was low then.
    let context = PostingContext { low_balance: 0, ..PostingContext::now(app) };
    posting::write(app, context, move |tx, context| {
        let user = users::by_id(tx, user_id)?;
        if posting::open(tx, context, user.account, None)?.account.entries > 0 {
            return Ok(());
        }
        for (number, entry) in (1..).zip(&past) {
            let account = posting::open(tx, context, user.account, None)?;
            let units = Units::new(entry.units).ok_or_else(|| Fault::bare("a past entry moves no units"))?;
            let at = context.now.plus_seconds(-entry.days_ago * DAY_SECONDS);
            let note = Some(ledger::EntryNote::new(entry.note.to_owned(), id::random_bytes()?));
            let posting = if entry.kind == Kind::Grant {
                let reason = format!("grant_demo_{number}");
                ledger::credit(
                    &account.account,
                    Credit { kind: Kind::Grant, units, reason, note, expires_at: None, cost: None },
                    at,
                )
            } else {
                let reason = format!("spend_demo_{number}");
                ledger::spend(&account.account, Spend { units, reason, note }, at)
            };
            let posting = posting.map_err(posting::impossible)?;
            posting::post(tx, context, &account, &posting, None)?
                .ok_or_else(|| Fault::bare("an empty ledger had this entry already"))?;
        }
        Ok(())
    })
}
