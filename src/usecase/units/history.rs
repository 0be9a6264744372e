//! A past, for demonstrations and tests only: a user's first entries, dated back. They are honest ledger entries, made
//! by the rules like all others; only their time is chosen.

use crate::app::App;
use crate::clock::DAY_SECONDS;
use crate::error::{Fault, Refused, Result};
use crate::ledger::{self, Credit, Kind, Refusal, Spend, Units};
use crate::store::users;

use crate::usecase::log_events;
use crate::usecase::units::posting;

/// A movement of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// How many days ago.
    pub days_ago: i64,
    /// What happened.
    pub happened: Happened,
    /// Units, from 1.
    pub units: i64,
    /// A sentence for people.
    pub note: &'static str,
}

/// What happened in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Units were given.
    Granted,
    /// Units were used.
    Spent,
}

/// Writes `past`, oldest first, as the first entries of the user's account, under the reasons `grant_demo_1`,
/// `spend_demo_2` and so on. An account that has entries already keeps them as they are. Answers how many were written.
pub fn write(app: &App, user: &str, past: &[Past]) -> Result<usize> {
    let (id, past, rules) = (user.to_owned(), past.to_vec(), posting::PostingContext::now(app));
    // Nobody is told now that something was low then.
    let rules = posting::PostingContext { low_balance: 0, ..rules };
    let (count, to_log) = app.store.write(move |tx| {
        let mut rules = rules.clone();
        let user = users::by_id(tx, &id)?;
        let mut account = posting::open(tx, &mut rules, user.account, None)?;
        if account.account.entries > 0 {
            return Ok((0, rules.to_log));
        }
        for (number, moved) in (1..).zip(&past) {
            let units = Units::new(moved.units)
                .ok_or_else(|| Refused::InvalidRequest(format!("{} units cannot be moved.", moved.units)))?;
            let at = rules.now.plus_seconds(moved.days_ago.saturating_mul(-DAY_SECONDS));
            let note = Some(moved.note.to_owned());
            let posting = match moved.happened {
                Happened::Granted => {
                    let reason = format!("grant_demo_{number}");
                    ledger::credit(
                        &account.account,
                        Credit { kind: Kind::Grant, units, reason, note, expires_at: None },
                        at,
                    )
                }
                Happened::Spent => {
                    let reason = format!("spend_demo_{number}");
                    ledger::spend(&account.account, Spend { units, reason, note }, at)
                }
            };
            let posting = posting.map_err(refused)?;
            posting::post(tx, &mut rules, &account, &posting, None)?
                .ok_or_else(|| Fault::bare("an empty ledger had this entry already"))?;
            account.account = posting.after;
        }
        Ok((past.len(), rules.to_log))
    })?;
    log_events::low_balances(&to_log);
    Ok(count)
}

fn refused(refusal: Refusal) -> Refused {
    Refused::InvalidRequest(format!("This past cannot have been: {refusal:?}."))
}
