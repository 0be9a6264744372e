//! Erases what was written about a user's movements. The entries stay, and so does their proof (rule 10).

use crate::app::App;
use crate::error::Result;
use crate::store::{entries, holds, proof, users};
use crate::usecase::audit;

/// Entries, and holds, that one transaction looks at.
const BATCH: i64 = 1000;

/// Erases the text of all notes of a user, of entries and of holds, in batches. Returns how many there were.
pub fn erase(app: &App, user_id: &str) -> Result<usize> {
    let (mut erased, mut after) = (0, 0);
    loop {
        let (id, now, last) = (user_id.to_owned(), app.clock.now(), after + BATCH);
        let (count, end) = audit::write(app, move |tx, trail| {
            let account = users::by_id(tx, &id)?.account;
            let of_holds = holds::erase_notes(tx, account, [after, last], now)?;
            let of_entries = entries::erase_notes(tx, account, after, last)?;
            if of_holds + of_entries > 0 {
                trail.add(tx, "notes_erased", &id, (of_holds + of_entries).to_string())?;
            }
            let entries = entries::find(tx, account)?.map_or(0, |row| row.account.entries);
            Ok((of_holds + of_entries, entries.max(proof::holds_made(tx, account)?)))
        })?;
        erased += count;
        if end <= last {
            return Ok(erased);
        }
        after = last;
    }
}
