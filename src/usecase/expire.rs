//! Lots whose time is over leave the balance by themselves.

use crate::app::App;
use crate::error::Result;
use crate::store::entries;

use super::books;

/// Accounts in one round.
const BATCH: i64 = 100;

/// Expires what is over, for up to a hundred accounts. Answers for how many.
pub fn expire(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = app.store.read(|tx| entries::accounts_to_expire(tx, now, BATCH))?;
    let count = due.len();
    for account in due {
        app.store.write(move |tx| books::open(tx, account, None, now).map(|_| ()))?;
    }
    Ok(count)
}
