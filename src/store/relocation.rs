//! Books on their way from one database to another. The row in the table says so in both, so that there is never more than one
//! database that works: in the old one from before the first row is copied, in the new one until the copy is proved.

use super::Store;
use super::db::{self, DbResult, FileRows, OwnedRow, Row, Rows, TablePart, Tx, key_text, parse_key, unavailable};
use crate::clock::{Clock, Timestamp, rfc3339};
use crate::database::Database;
use crate::error::{Error, Fault, Result};

/// Whether the books leave this database or arrive in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

/// What a database says of books that leave it or arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// The same in both databases.
    pub id: String,
    pub direction: Direction,
    /// The other database, without its password.
    pub other: String,
    /// The anchor of the books when they left, as a line.
    pub anchor: String,
    pub begun_at: Timestamp,
    /// Of what has left: when the copy was proved.
    pub ended_at: Option<Timestamp>,
    /// Of what arrives: how many rows are here.
    pub rows: i64,
    /// The table that was copied last, and the key of its last row.
    position: Option<(String, String)>,
}

impl Relocation {
    /// One that begins now.
    pub fn begin(id: &str, direction: Direction, other: &Database, anchor: &str, now: Timestamp) -> Relocation {
        let (id, other, anchor) = (id.to_owned(), other.to_string(), anchor.to_owned());
        Relocation { id, direction, other, anchor, begun_at: now, ended_at: None, rows: 0, position: None }
    }

    /// Why nothing else may be done with the database, and what to do.
    fn refusal(&self) -> String {
        let Relocation { other, begun_at, .. } = self;
        let since = rfc3339(*begun_at);
        match (self.direction, self.ended_at) {
            (Direction::In, _) => format!(
                "it is a copy of {other} that is not complete (begun {since}): run till migrate there again, which goes on \
                 where it was, or remove this database and take that one into use again (till migrate --reopen)"
            ),
            (Direction::Out, None) => format!(
                "its books are being moved to {other} since {since}: run the same till migrate --to again, which goes on \
                 where it was, or give that up with till migrate --reopen"
            ),
            (Direction::Out, Some(at)) => format!(
                "its books were moved to {other} on {}: name that one in SPRITE_DATABASE. If nothing was done there and it is \
                 gone, till migrate --reopen takes this one into use again",
                rfc3339(at)
            ),
        }
    }
}

/// What the database says of it, if its books are on their way or have left.
pub fn find(tx: &mut dyn Tx) -> Result<Option<Relocation>> {
    const FIND: &str = "SELECT id, direction, other, anchor, begun_at, ended_at, rows, part, position FROM relocation
        WHERE one = 1";
    tx.one(FIND, &[], relocation)
}

fn relocation(row: &Row<'_>) -> DbResult<Relocation> {
    let direction = row.word("direction", |word| match word {
        "in" => Some(Direction::In),
        "out" => Some(Direction::Out),
        _ => None,
    });
    Ok(Relocation {
        id: row.text("id")?,
        direction: direction?,
        other: row.text("other")?,
        anchor: row.text("anchor")?,
        begun_at: row.time("begun_at")?,
        ended_at: row.time_or_null("ended_at")?,
        rows: row.int("rows")?,
        position: row.text_or_null("part")?.zip(row.text_or_null("position")?),
    })
}

/// Marks the database.
pub fn add(tx: &mut dyn Tx, relocation: &Relocation) -> Result<()> {
    const ADD: &str =
        "INSERT INTO relocation (one, id, direction, other, anchor, begun_at) VALUES (1, $1, $2, $3, $4, $5)";
    let Relocation { id, direction, other, anchor, begun_at, .. } = relocation;
    let direction = match direction {
        Direction::In => "in",
        Direction::Out => "out",
    };
    tx.execute(ADD, &[id, &direction, other, anchor, begun_at])?;
    Ok(())
}

/// Of what has left: its copy is proved.
pub fn end(tx: &mut dyn Tx, at: Timestamp) -> Result<()> {
    const END: &str = "UPDATE relocation SET ended_at = COALESCE(ended_at, $1) WHERE one = 1 AND direction = 'out'";
    tx.execute(END, &[&at])?;
    Ok(())
}

/// From here on the database is in use.
pub fn remove(tx: &mut dyn Tx) -> Result<()> {
    const REMOVE: &str = "DELETE FROM relocation WHERE one = 1";
    tx.execute(REMOVE, &[])?;
    Ok(())
}

/// What a database knows of the time, and since when it has its schema.
pub fn times(tx: &mut dyn Tx) -> Result<Option<[Option<Timestamp>; 3]>> {
    const TIMES: &str = "SELECT applied_at, seen_at, confirmed_at FROM schema_version ORDER BY version DESC LIMIT 1";
    tx.one(TIMES, &[], |row| {
        Ok([row.time_or_null("applied_at")?, row.time_or_null("seen_at")?, row.time_or_null("confirmed_at")?])
    })
}

/// Takes that over from another database.
pub fn put_times(tx: &mut dyn Tx, times: [Option<Timestamp>; 3]) -> Result<()> {
    const PUT: &str = "UPDATE schema_version SET applied_at = COALESCE($1, applied_at), seen_at = $2, confirmed_at = $3
        WHERE version = (SELECT MAX(version) FROM schema_version)";
    let [applied_at, seen_at, confirmed_at] = times;
    tx.execute(PUT, &[&applied_at, &seen_at, &confirmed_at])?;
    Ok(())
}

/// Notes that so many rows more of a part have come, up to this key. Fails if the database was marked again meanwhile.
fn advance(tx: &mut dyn Tx, id: &str, part: &TablePart, key: &str, rows: usize) -> Result<()> {
    const ADVANCE: &str = "UPDATE relocation SET part = $2, position = $3, rows = rows + $4
        WHERE one = 1 AND id = $1 AND direction = 'in'";
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    match tx.execute(ADVANCE, &[&id, &part.name(), &key, &rows])? {
        1 => Ok(()),
        _ => Err(Fault::bare("another till migrate has begun on this database meanwhile").into()),
    }
}

impl Store {
    /// Opens a database like [`Store::open`], also one whose books are on their way.
    pub fn open_in_relocation(database: &Database, clock: &Clock) -> DbResult<Store> {
        Store::open_any(database, clock, true)
    }

    /// Refuses a database whose books are on their way, or have left.
    pub fn refuse_relocation(&self) -> DbResult<()> {
        let found = self.read(find).map_err(|error| match error {
            Error::Fault(fault) => fault,
            Error::Refused(refused) => Fault::bare(refused.detail()).retryable(),
        })?;
        let database = &self.database;
        found.map_or(Ok(()), |found| {
            Err(Fault::bare(format!("the database {database} cannot be used: {}", found.refusal())))
        })
    }

    fn rows(&self) -> DbResult<Box<dyn Rows>> {
        match (&self.server, self.file()) {
            (Some(server), _) => server.rows(),
            (None, Some(file)) => Ok(Box::new(FileRows::open(file)?)),
            (None, None) => Err(Fault::bare("a database is neither a file nor a server's")),
        }
    }
}

/// The rows of two databases: those of the first are copied into the second, and compared.
pub struct RowCopy {
    from: Box<dyn Rows>,
    to: Box<dyn Rows>,
    parts: Vec<TablePart>,
}

/// How far a copy or a comparison has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyProgress {
    pub table: String,
    /// Rows so far, of all tables.
    pub rows: i64,
}

impl RowCopy {
    /// Nothing is copied yet.
    pub fn between(from: &Store, to: &Store) -> Result<RowCopy> {
        let parts = db::table_parts()?;
        Ok(RowCopy { from: from.rows().map_err(unavailable)?, to: to.rows().map_err(unavailable)?, parts })
    }

    /// Copies what is not in the second database yet, page by page, each in a transaction together with how far it came.
    pub fn copy(&mut self, relocation: &Relocation, mut progress: impl FnMut(&CopyProgress)) -> Result<()> {
        let (mut begin, mut after) = (0, None);
        if let Some((name, key)) = &relocation.position {
            let unknown = || Fault::bare(format!("the copy came as far as {name}, which this till does not know"));
            begin = self.parts.iter().position(|part| part.name() == *name).ok_or_else(unknown)?;
            after = Some(parse_key(key).ok_or_else(unknown)?);
        }
        let mut rows = relocation.rows;
        for part in self.parts.iter().skip(begin) {
            let mut after = after.take();
            loop {
                let page = self.from.page(part, after.as_deref()).map_err(unavailable)?;
                let Some(last) = page.last() else { break };
                let key = part.key_of(last);
                let text = key_text(&key);
                self.to.add(part, &page, &mut |tx| advance(tx, &relocation.id, part, &text, page.len()))?;
                rows += i64::try_from(page.len()).unwrap_or(i64::MAX);
                progress(&CopyProgress { table: part.table.clone(), rows });
                after = Some(key);
            }
        }
        Ok(self.to.settle()?)
    }

    /// Compares both row by row. Returns the first difference, in words, or how many rows are equal.
    pub fn compare(&mut self, mut progress: impl FnMut(&CopyProgress)) -> Result<std::result::Result<i64, String>> {
        let mut rows = 0;
        for part in &self.parts {
            let counted = (self.from.count(part)?, self.to.count(part)?);
            if counted.0 != counted.1 {
                let (of, name) = (counted.1, part.name());
                return Ok(Err(format!("{name} has {} rows, and its copy has {of}", counted.0)));
            }
            let mut after: Option<OwnedRow> = None;
            loop {
                let (ours, theirs) = (self.from.page(part, after.as_deref())?, self.to.page(part, after.as_deref())?);
                let differs =
                    ours.iter().zip(&theirs).find(|(one, other)| one != other).map(|(one, _)| part.key_of(one));
                if differs.is_some() || ours.len() != theirs.len() {
                    let key = differs.map_or_else(String::new, |key| format!(" ({})", part.shown_key(&key)));
                    return Ok(Err(format!("a row of {} is another in the copy{key}", part.table)));
                }
                let Some(last) = ours.last() else { break };
                rows += i64::try_from(ours.len()).unwrap_or(i64::MAX);
                progress(&CopyProgress { table: part.table.clone(), rows });
                after = Some(part.key_of(last));
            }
        }
        Ok(Ok(rows))
    }
}

/// How many rows a database has in all, or a row that no other engine takes, in words.
pub fn survey(store: &Store) -> Result<std::result::Result<i64, String>> {
    let (mut rows, mut count) = (store.rows().map_err(unavailable)?, 0);
    for part in db::table_parts()? {
        if let Some(key) = rows.unfit(&part)? {
            return Ok(Err(format!(
                "a row of {} has a text with the character U+0000, which PostgreSQL does not keep: {}",
                part.table,
                part.shown_key(&key)
            )));
        }
        count += rows.count(&part)?;
    }
    Ok(Ok(count))
}

/// The first table that has a row.
pub fn first_filled(store: &Store) -> Result<Option<String>> {
    let mut rows = store.rows().map_err(unavailable)?;
    for part in db::table_parts()? {
        if !rows.page(&part, None)?.is_empty() {
            return Ok(Some(part.table));
        }
    }
    Ok(None)
}
