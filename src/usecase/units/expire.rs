//! What is over closes by itself: holds give their units back, lots leave the balance.

use crate::app::App;
use crate::error::Result;
use crate::store::entries;

use crate::usecase::log_events;
use crate::usecase::units::posting::{self, PostingContext};

/// Accounts in one transaction.
const BATCH: i64 = 100;
/// Transactions in one round.
const BATCHES: usize = 100;

/// Closes what is over, for up to ten thousand accounts. Answers for how many.
pub fn expire(app: &App) -> Result<usize> {
    let mut count = 0;
    for _ in 0..BATCHES {
        let rules = PostingContext::now(app);
        let due = app.store.read(|tx| entries::accounts_due(tx, rules.now, BATCH))?;
        if due.is_empty() {
            break;
        }
        count += due.len();
        if close(app, rules.clone(), due.clone()).is_err() {
            // One account that cannot be closed must not keep the others open.
            return apart(app, rules, due).map(|()| count);
        }
    }
    Ok(count)
}

fn apart(app: &App, rules: PostingContext, due: Vec<i64>) -> Result<()> {
    let mut last = Ok(());
    for account in due {
        last = close(app, rules.clone(), vec![account]).and(last);
    }
    last
}

/// Closes what is over on these accounts in one transaction.
fn close(app: &App, rules: PostingContext, accounts: Vec<i64>) -> Result<()> {
    let to_log = app.store.write(move |tx| {
        let mut rules = rules.clone();
        accounts.iter().try_for_each(|account| posting::open(tx, &mut rules, *account, None).map(drop))?;
        Ok(rules.to_log)
    })?;
    log_events::low_balances(&to_log);
    Ok(())
}
