//! Closes holds and lots whose time has passed, on accounts that nothing else touches.

use crate::app::App;
use crate::error::Result;
use crate::store::entries;

use crate::usecase::units::posting::{self, PostingContext};

/// Accounts in one transaction.
const BATCH: i64 = 100;
/// Transactions in one round.
const BATCHES: usize = 100;

/// Closes what has expired on up to ten thousand accounts, and returns how many accounts those were. None while the clock
/// is implausible.
pub fn expire(app: &App) -> Result<usize> {
    let mut count = 0;
    for _ in 0..BATCHES {
        if !app.clock.is_plausible() {
            break;
        }
        let context = PostingContext::now(app);
        let accounts = app.store.read(|tx| entries::accounts_due(tx, context.now, BATCH))?;
        if accounts.is_empty() {
            break;
        }
        count += accounts.len();
        let batch = accounts.clone();
        let result = posting::write(app, context.clone(), move |tx, context| {
            batch.iter().try_for_each(|account| posting::open(tx, context, *account, None).map(drop))
        });
        if result.is_err() {
            // One account that cannot be closed must not keep the others open.
            return expire_one_by_one(app, &context, accounts).map(|()| count);
        }
    }
    Ok(count)
}

fn expire_one_by_one(app: &App, context: &PostingContext, accounts: Vec<i64>) -> Result<()> {
    let mut last = Ok(());
    for account in accounts {
        let result = posting::write(app, context.clone(), move |tx, context| {
            posting::open(tx, context, account, None).map(drop)
        });
        last = result.and(last);
    }
    last
}
