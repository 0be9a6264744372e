//! Says that units expire soon: a message and a letter for each user and time, a week before. Units that live for less than
//! a week are reported at once.

use crate::app::App;
use crate::catalog::MailKind;
use crate::clock::DAY_SECONDS;
use crate::error::Result;
use crate::mail::letter::Letter;
use crate::store::lots;
use crate::usecase::mail;
use crate::usecase::notifications::enqueue;

/// How long before the end.
const NOTICE_SECONDS: i64 = 7 * DAY_SECONDS;
/// Lots in one transaction.
const BATCH: i64 = 100;

/// Writes the messages and letters about units that expire soon, up to a batch of them. Returns how many. None while the
/// clock is implausible, and none while no endpoint wants to know and no letter is sent.
pub fn notify(app: &App) -> Result<usize> {
    if !app.clock.is_plausible() {
        return Ok(0);
    }
    let now = app.clock.now();
    let mut ending = app.store.read(|tx| {
        if !app.catalog.mail.sends(MailKind::UnitsExpire) && !enqueue::is_expiry_wanted(tx)? {
            return Ok(vec![]);
        }
        lots::to_notify(tx, now, now.plus_seconds(NOTICE_SECONDS), BATCH)
    })?;
    ending.dedup();
    if ending.is_empty() {
        return Ok(0);
    }
    let catalog = app.catalog.clone();
    app.store.write(move |tx| {
        let mut written = 0;
        for lots in &ending {
            let found = lots::expiring(tx, lots.account)?.into_iter().find(|part| part.at == lots.expires_at);
            if let Some(part) = found {
                enqueue::enqueue_expiring(tx, now, lots.account, part)?;
                let reason = format!("units_expire_{}_{}", lots.account, part.at.millis());
                let letter = Letter::UnitsExpire { units: part.units, at: part.at.millis() };
                mail::tell(tx, &catalog, (now, now), lots.account, &reason, &letter)?;
                written += 1;
            }
            lots::mark_notified(tx, *lots, found.is_none(), now)?;
        }
        Ok(written)
    })
}
