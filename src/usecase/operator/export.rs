//! The ledger as CSV: every entry with its hash, so that the file can be checked without the program.

use std::io::Write;

use crate::app::App;
use crate::clock::rfc3339;
use crate::error::{Error, Fault, Result};
use crate::id::hex;
use crate::ledger::{Entry, EntryNote};
use crate::store::proof::{self, StoredEntry};
use crate::store::users;
use crate::usecase::spreadsheet::disarmed;

const PAGE: i64 = 1000;
const COLUMNS: [&str; 17] = [
    "id",
    "account",
    "user_id",
    "seq",
    "kind",
    "delta",
    "balance_after",
    "reason",
    "note",
    "note_salt",
    "note_digest",
    "lot",
    "expires_at",
    "created_at",
    "previous",
    "hash",
    "actor",
];

/// Writes all entries, or those of one user, and returns how many. What is posted meanwhile may be among them. Times are
/// RFC 3339; the hashed form has milliseconds.
pub fn export(app: &App, user: Option<&str>, to: impl Write) -> Result<u64> {
    // Before the first line, which would look like an export with nothing in it.
    let only = user.map(|id| app.store.read(|tx| users::by_id(tx, id))).transpose()?;
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(COLUMNS).map_err(write_failed)?;
    let (mut account, mut seq) = (only.as_ref().map_or(0, |user| user.account), 0);
    let (mut count, mut owner) = (0, only.clone());
    loop {
        // A snapshot for each page: entries never change, and the log cannot start over while a snapshot is kept.
        let page = app.store.read(|tx| match &only {
            Some(user) => proof::entries_of_account_after(tx, user.account, seq, PAGE),
            None => proof::entries_after(tx, account, seq, PAGE),
        })?;
        let Some(end) = page.last().map(|StoredEntry { entry, .. }| (entry.account, entry.seq)) else { break };
        for StoredEntry { entry, actor } in &page {
            if owner.as_ref().is_none_or(|user| user.account != entry.account) {
                owner = Some(app.store.read(|tx| users::by_account(tx, entry.account))?);
            }
            let id = owner.as_ref().map_or("", |user| &user.id);
            csv.write_record(record(entry, id, actor.as_deref())).map_err(write_failed)?;
            count += 1;
        }
        (account, seq) = end;
    }
    csv.flush().map_err(|cause| Fault::new("cannot write the export", cause))?;
    Ok(count)
}

fn record(entry: &Entry, user_id: &str, actor: Option<&str>) -> [String; 17] {
    let note = entry.note.as_ref();
    let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    [
        entry.id(),
        entry.account.to_string(),
        disarmed(user_id),
        entry.seq.to_string(),
        entry.kind.as_str().to_owned(),
        entry.delta.to_string(),
        entry.balance_after.to_string(),
        disarmed(&entry.reason),
        disarmed(entry.note_text().unwrap_or_default()),
        note.and_then(EntryNote::salt).map(|salt| hex(salt)).unwrap_or_default(),
        note.map(|note| hex(note.digest())).unwrap_or_default(),
        number(entry.lot),
        entry.expires_at.map(rfc3339).unwrap_or_default(),
        rfc3339(entry.created_at),
        hex(&entry.previous),
        hex(&entry.hash()),
        actor.unwrap_or_default().to_owned(),
    ]
}

fn write_failed(cause: csv::Error) -> Error {
    Fault::new("cannot write the export", cause).into()
}
