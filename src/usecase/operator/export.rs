//! The ledger as CSV: every entry with its hash, so that the file can be checked without the program.

use std::io::Write;

use crate::app::App;
use crate::clock::rfc3339;
use crate::error::{Error, Fault, Result};
use crate::id::hex;
use crate::ledger::Entry;
use crate::store::{audit, entries, users};

const PAGE: i64 = 1000;
const COLUMNS: [&str; 14] = [
    "id",
    "account",
    "user_id",
    "seq",
    "kind",
    "delta",
    "balance_after",
    "reason",
    "note",
    "lot",
    "expires_at",
    "created_at",
    "previous",
    "hash",
];

/// Writes all entries, or those of one user, and returns how many. Times are RFC 3339; the hashed form has milliseconds.
pub fn export(app: &App, user: Option<&str>, to: impl Write) -> Result<u64> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(COLUMNS).map_err(write_failed)?;
    app.store.read(|tx| {
        let only = user.map(|id| users::by_id(tx, id)).transpose()?;
        let (mut account, mut seq) = (only.as_ref().map_or(0, |user| user.account), 0);
        let (mut count, mut owner) = (0, only.clone());
        loop {
            let page = match &only {
                Some(user) => entries::of_account_after(tx, user.account, seq, PAGE)?,
                None => audit::entries_after(tx, account, seq, PAGE)?,
            };
            let Some(end) = page.last().map(|entry| (entry.account, entry.seq)) else { break };
            for entry in &page {
                if owner.as_ref().is_none_or(|user| user.account != entry.account) {
                    owner = Some(users::by_account(tx, entry.account)?);
                }
                let id = owner.as_ref().map_or("", |user| &user.id);
                csv.write_record(record(entry, id)).map_err(write_failed)?;
                count += 1;
            }
            (account, seq) = end;
        }
        csv.flush().map_err(|cause| Fault::new("cannot write the export", cause))?;
        Ok(count)
    })
}

fn record(entry: &Entry, user_id: &str) -> [String; 14] {
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
        disarmed(entry.note.as_deref().unwrap_or_default()),
        number(entry.lot),
        entry.expires_at.map(rfc3339).unwrap_or_default(),
        rfc3339(entry.created_at),
        hex(&entry.previous),
        hex(&entry.hash()),
    ]
}

/// Text that a spreadsheet would take for a formula, with an apostrophe before it, which spreadsheets do not show (OWASP, "CSV
/// Injection"). Text that begins with an apostrophe gets one too, so that taking one away gives the text back.
fn disarmed(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn write_failed(cause: csv::Error) -> Error {
    Fault::new("cannot write the export", cause).into()
}

#[cfg(test)]
mod tests {
    use super::disarmed;

    #[test]
    fn no_text_is_a_formula() {
        for (text, written) in [
            ("", ""),
            ("a fox", "a fox"),
            ("1-2", "1-2"),
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("@SUM(1)", "'@SUM(1)"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("\t=1", "'\t=1"),
            ("'quoted", "''quoted"),
        ] {
            assert_eq!(disarmed(text), written);
        }
    }
}
