//! Says that units expire soon: a message for each user and time, a week before. Units that live for less than a week are
//! reported at once.

use crate::app::App;
use crate::clock::DAY_SECONDS;
use crate::error::Result;
use crate::store::lots;

use crate::usecase::notifications::enqueue;

/// How long before the end.
const NOTICE_SECONDS: i64 = 7 * DAY_SECONDS;
/// Lots in one transaction.
const BATCH: i64 = 100;

/// Writes the messages about units that expire soon, up to a batch of them. Returns how many. None while
/// the clock is implausible, and none while no endpoint wants to know.
pub fn notify(app: &App) -> Result<usize> {
    if !app.clock.is_plausible() {
        return Ok(0);
    }
    let now = app.clock.now();
    let mut ending = app.store.read(|tx| {
        if !enqueue::is_expiry_wanted(tx)? {
            return Ok(vec![]);
        }
        lots::to_notify(tx, now, now.plus_seconds(NOTICE_SECONDS), BATCH)
    })?;
    ending.dedup();
    if ending.is_empty() {
        return Ok(0);
    }
    app.store.write(move |tx| {
        let mut written = 0;
        for lots in &ending {
            let found = lots::expiring(tx, lots.account)?.into_iter().find(|part| part.at == lots.expires_at);
            if let Some(part) = found {
                enqueue::enqueue_expiring(tx, now, lots.account, part)?;
                written += 1;
            }
            lots::mark_notified(tx, *lots, found.is_none(), now)?;
        }
        Ok(written)
    })
}
