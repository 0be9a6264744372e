//! The anchor of the books (rule 10): a line that says how far they have come. Kept outside of the database, it shows later
//! whether what it covers was changed by somebody who recomputed the hashes.

use std::fmt;

use crate::app::App;
use crate::clock::{Timestamp, rfc3339};
use crate::error::Result;
use crate::id::hex;
use crate::ledger::BooksHead;
use crate::store::{Tx, anchors, entries};

/// Accounts that are read at once.
const PAGE: i64 = 1000;
/// What an anchor's line begins with.
const FORM: &str = "till-head-1";

/// An anchor: the heads of all accounts at one moment. As text it is one line, for people and logs to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// How many anchors of these books were taken up to this one.
    pub number: i64,
    /// What it covers: every entry that was stored when it was taken.
    pub head: BooksHead,
    /// For people to read; the proof does not need it.
    pub taken_at: Option<Timestamp>,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BooksHead { accounts, entries, digest } = self.head;
        let number = self.number;
        write!(f, "{FORM} number={number} accounts={accounts} entries={entries} digest={}", hex(&digest))?;
        self.taken_at.map_or(Ok(()), |at| write!(f, " at={}", rfc3339(at)))
    }
}

impl Anchor {
    /// Reads an anchor from any line that contains one, such as a line of the log.
    pub fn parse(line: &str) -> Option<Anchor> {
        let words = &line[line.find(FORM)? + FORM.len()..];
        let field = |name: &str| {
            let value = words.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
            // In a line of the log a quotation mark or a comma follows.
            value.split(|c: char| !c.is_ascii_alphanumeric()).next()
        };
        let number = |name: &str| field(name)?.parse::<i64>().ok().filter(|number| *number >= 0);
        let digest = data_encoding::HEXLOWER_PERMISSIVE.decode(field("digest")?.as_bytes()).ok()?.try_into().ok()?;
        let head = BooksHead { accounts: number("accounts")?, entries: number("entries")?, digest };
        Some(Anchor { number: number("number").filter(|number| *number > 0)?, head, taken_at: None })
    }
}

/// Takes an anchor of the books as they are.
pub fn take(app: &App) -> Result<Anchor> {
    let now = app.clock.now();
    // From here on each new entry says that it is newer, so the heads can be read without holding up anybody.
    let number = app.store.write_alone(move |tx| anchors::take(tx, now))?;
    let (mut head, mut last) = (BooksHead::default(), 0);
    // No snapshot is kept for long: the log beside the database cannot start over while one is.
    while let Some(end) = app.store.read(|tx| add_page(tx, number, last, &mut head))? {
        last = end;
    }
    Ok(Anchor { number, head, taken_at: Some(now) })
}

/// Adds the heads of the accounts after `last`, as the anchor covers them. Returns the last of them, or `None` at the end.
fn add_page(tx: &mut dyn Tx, number: i64, last: i64, head: &mut BooksHead) -> Result<Option<i64>> {
    let page = anchors::heads_after(tx, number, last, PAGE)?;
    let end = page.last().map(|last| last.account);
    for at in page {
        if !at.is_newer {
            head.add(at.account, at.entries, &at.head);
            continue;
        }
        let covered = anchors::covered(tx, number, at.account)?;
        let next = entries::of_account_after(tx, at.account, covered, 1)?;
        head.add(at.account, covered, &next.first().map_or(at.head, |entry| entry.previous));
    }
    Ok(end)
}

/// Takes an anchor and writes it to the log, where it is out of the database's reach.
pub fn log(app: &App) -> Result<usize> {
    let anchor = take(app)?;
    let BooksHead { accounts, entries, digest } = anchor.head;
    let line = anchor.to_string();
    tracing::info!(
        event = "books_head",
        number = anchor.number,
        accounts,
        entries,
        digest = hex(&digest),
        anchor = line
    );
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_back_from_any_line_that_contains_it() {
        let head = BooksHead { accounts: 3, entries: 17, digest: [0xab; 32] };
        let anchor = Anchor { number: 7, head, taken_at: Some(Timestamp::from_millis(0)) };
        let line = anchor.to_string();
        let read = Some(Anchor { taken_at: None, ..anchor });
        for line in [
            line.clone(),
            format!("{line}\n"),
            format!("{{\"event\":\"books_head\",\"number\":7,\"anchor\":\"{line}\"}}"),
            format!("2026-01-01 INFO event=\"books_head\" digest=00 anchor=\"{line}\" more=1"),
            Anchor { taken_at: None, ..anchor }.to_string(),
            format!("\"{}\",", Anchor { taken_at: None, ..anchor }),
        ] {
            assert_eq!(Anchor::parse(&line), read, "{line}");
        }
        for bad in ["", FORM, "till-head-1 number=7", &line.replace("ab ", "a "), &line.replace("number=7", "number=0")]
        {
            assert_eq!(Anchor::parse(bad), None, "{bad}");
        }
    }
}
