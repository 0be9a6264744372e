//! The file of an import: CSV with a header, read line by line. Each line becomes a checked row, or a sentence that says what
//! is wrong with it. Nothing here knows the books.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ReaderBuilder, StringRecord, Terminator, Trim};

use crate::error::{Error, Fault, Result};
use crate::id::UserId;
use crate::ledger::UNITS_LIMIT;
use crate::usecase::spreadsheet::rearmed;
use crate::usecase::users::{self, UserPatch};

/// The columns, in the order of the earlier backend's file.
pub const COLUMNS: [&str; 7] = ["id", "email", "name", "units_total", "units_remaining", "plan", "stripe_customer_id"];
/// Those that a file cannot be without.
const REQUIRED: [&str; 3] = ["id", "units_total", "units_remaining"];
/// The most rows of a file.
const ROWS_LIMIT: usize = 1_000_000;
/// The most bytes of a line.
const LINE_LIMIT: u64 = 64 * 1024;
/// The most characters of a plan's key, and of a customer's id.
const WORD_LIMIT: usize = 255;

/// A line that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    pub line: u64,
    /// What was wrong, and what was expected.
    pub what: String,
}

/// A user of the earlier backend.
#[derive(Clone, Debug)]
pub struct ImportRow {
    pub line: u64,
    pub id: UserId,
    pub email: Option<String>,
    pub name: Option<String>,
    pub total: i64,
    pub remaining: i64,
    pub plan: Option<String>,
    pub customer: Option<String>,
}

/// Counts the bytes since the last line, so that a quotation mark that is never closed does not fill the memory.
struct BoundedReader<R> {
    from: R,
    since_line: Rc<Cell<u64>>,
}

impl<R: Read> Read for BoundedReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.since_line.get() > LINE_LIMIT {
            let what = format!("a line is longer than {LINE_LIMIT} bytes: is a quotation mark missing?");
            return Err(io::Error::other(what));
        }
        let count = self.from.read(bytes)?;
        self.since_line.set(self.since_line.get() + count as u64);
        Ok(count)
    }
}

/// Reads all rows. The inner error has every line that is wrong.
pub fn read(from: impl Read) -> Result<std::result::Result<Vec<ImportRow>, Vec<BadLine>>, Fault> {
    let since_line = Rc::new(Cell::new(0));
    let bounded = BoundedReader { from, since_line: Rc::clone(&since_line) };
    // A line ends with a line feed, so that its number is right; a carriage return before it is trimmed away.
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .trim(Trim::All)
        .from_reader(bounded);
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    let mut header: Option<HashMap<&str, usize>> = None;
    let (mut ids, mut customers) = (HashMap::new(), HashMap::new());
    let mut record = StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(cause) => match cause.kind() {
                csv::ErrorKind::Utf8 { .. } => {
                    let line = cause.position().map_or(line, csv::Position::line);
                    bad.push(BadLine { line, what: "it is not UTF-8".to_owned() });
                    since_line.set(0);
                    continue;
                }
                _ => return Err(Fault::new("the file cannot be read", cause)),
            },
        }
        since_line.set(0);
        let line = record.position().map_or(line, csv::Position::line);
        if record.len() == 1 && record.get(0) == Some("") {
            continue;
        }
        let Some(header) = &header else {
            match columns(&record) {
                Ok(columns) => header = Some(columns),
                Err(what) => return Ok(Err(vec![BadLine { line, what }])),
            }
            continue;
        };
        if rows.len() + bad.len() >= ROWS_LIMIT {
            let what = format!("a file has at most {ROWS_LIMIT} rows: divide it");
            return Ok(Err(vec![BadLine { line, what }]));
        }
        match row(&record, header, line) {
            Ok(row) => {
                let earlier = ids.insert(row.id.as_str().to_owned(), line);
                let customer = row.customer.clone().and_then(|customer| customers.insert(customer, line));
                let id = earlier.map(|line| format!("the id {:?} is on line {line} already", row.id.as_str()));
                let what = id.or_else(|| customer.map(|line| format!("its customer is on line {line} already")));
                bad.extend(what.map(|what| BadLine { line, what: format!("{what}: one line for each was expected") }));
                rows.push(row);
            }
            Err(what) => bad.push(BadLine { line, what }),
        }
    }
    if header.is_none() {
        let what = format!("the file is empty: a header was expected, {}", COLUMNS.join(","));
        return Ok(Err(vec![BadLine { line: 1, what }]));
    }
    Ok(if bad.is_empty() { Ok(rows) } else { Err(bad) })
}

/// Where each column is.
fn columns(record: &StringRecord) -> Result<HashMap<&'static str, usize>, String> {
    let expected = format!("expected {}", COLUMNS.join(","));
    let mut found = HashMap::new();
    let mut unknown = vec![];
    for (place, name) in record.iter().enumerate() {
        // A byte order mark is no part of the first name.
        let name = name.trim_start_matches('\u{feff}');
        match COLUMNS.iter().find(|column| **column == name) {
            None => unknown.push(format!("{name:?}")),
            Some(column) => {
                if found.insert(*column, place).is_some() {
                    return Err(format!("the column {column} is there twice: {expected}"));
                }
            }
        }
    }
    if !unknown.is_empty() {
        return Err(format!("unknown columns: {}: {expected}", unknown.join(", ")));
    }
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|column| !found.contains_key(column)).collect();
    match missing.as_slice() {
        [] => Ok(found),
        missing => Err(format!("columns are missing: {}: {expected}", missing.join(", "))),
    }
}

fn row(record: &StringRecord, columns: &HashMap<&str, usize>, line: u64) -> Result<ImportRow, String> {
    if record.len() != columns.len() {
        return Err(format!("it has {} fields: {} were expected, as in the header", record.len(), columns.len()));
    }
    // An export of ours has a mark before what a spreadsheet would take for a formula.
    let text = |column: &str| columns.get(column).and_then(|place| record.get(*place)).map(rearmed).unwrap_or_default();
    let given = |column: &str| Some(text(column)).filter(|text| !text.is_empty());
    let said = |error: Error| match error {
        Error::Refused(refused) => refused.detail(),
        Error::Fault(fault) => fault.to_string(),
    };
    let id = users::user_id(text("id")).map_err(said)?;
    let (email, name) = (given("email"), given("name"));
    UserPatch { email: Some(email), name: Some(name), low_balance: None }.check().map_err(said)?;
    let (total, remaining) =
        (units(text("units_total"), "units_total")?, units(text("units_remaining"), "units_remaining")?);
    if total < remaining {
        return Err(format!("units_total is {total}: at least units_remaining was expected, which is {remaining}"));
    }
    let (plan, customer) = (word(given("plan"), "plan")?, word(given("stripe_customer_id"), "stripe_customer_id")?);
    if customer.as_ref().is_some_and(|customer| !customer.starts_with("cus_")) {
        return Err(
            "stripe_customer_id is no customer of Stripe's: an id that begins with cus_ was expected".to_owned()
        );
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Ok(ImportRow { line, id, email: owned(email), name: owned(name), total, remaining, plan, customer })
}

fn units(text: &str, column: &str) -> Result<i64, String> {
    let number = text.parse::<i64>().ok().filter(|number| number.unsigned_abs() <= UNITS_LIMIT.unsigned_abs());
    let shown: String = text.chars().take(40).collect();
    number.ok_or_else(|| {
        format!("{column} is {shown:?}: a whole number from -{UNITS_LIMIT} to {UNITS_LIMIT} was expected")
    })
}

fn word(text: Option<&str>, column: &str) -> Result<Option<String>, String> {
    match text {
        Some(text) if text.chars().count() > WORD_LIMIT || text.chars().any(char::is_control) => Err(format!(
            "{column} is too long, or has control characters: at most {WORD_LIMIT} characters were expected"
        )),
        text => Ok(text.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> std::result::Result<Vec<ImportRow>, Vec<BadLine>> {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn columns_stand_in_any_order_and_quotes_line_ends_and_marks_are_read() {
        let text = "\u{feff}name,id,units_remaining,units_total\r\n\"Doe, \"\"J\"\"\",alice,-3,7\r\n\r\n,bob,0,0\r\n";
        let rows = read_text(text).unwrap();
        let shown: Vec<_> =
            rows.iter().map(|row| (row.line, row.id.as_str(), row.name.as_deref(), row.remaining, row.total)).collect();
        assert_eq!(shown, [(2, "alice", Some("Doe, \"J\""), -3, 7), (4, "bob", None, 0, 0)]);
    }

    #[test]
    fn each_bad_line_is_named_with_what_was_expected() {
        let header = "id,email,name,units_total,units_remaining,plan,stripe_customer_id\n";
        let long = "x".repeat(300);
        for (line, words) in [
            ("bad id,,,1,1,,", "is no user id"),
            ("a,nobody,,1,1,,", "email has no @"),
            ("a,,,1,one,,", "units_remaining is \"one\": a whole number"),
            ("a,,,1,1.5,,", "units_remaining is \"1.5\""),
            ("a,,,,1,,", "units_total is \"\""),
            ("a,,,1,2,,", "at least units_remaining was expected"),
            ("a,,,1000000001,1,,", "units_total"),
            ("a,,,1,1,,sub_1", "begins with cus_"),
            ("a,,,1,1", "it has 5 fields: 7 were expected"),
            (&format!("a,,,1,1,{long},"), "plan is too long"),
            (&format!("a,,{long},1,1,,"), "name has 300 characters"),
        ] {
            let bad = read_text(&format!("{header}ok,,,1,1,,\n{line}\n")).unwrap_err();
            assert!(bad.len() == 1 && bad[0].line == 3 && bad[0].what.contains(words), "{line}: {bad:?}");
        }
        let twice = read_text(&format!("{header}a,,,1,1,,cus_1\nb,,,1,1,,cus_1\na,,,1,1,,\n")).unwrap_err();
        assert_eq!(twice.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 4], "{twice:?}");
        for (header, words) in [
            ("", "a header was expected"),
            ("id,units_total\n", "units_remaining"),
            ("id,units_total,units_remaining,password\n", "unknown columns: \"password\""),
            ("id,id,units_total,units_remaining\n", "twice"),
        ] {
            let bad = read_text(header).unwrap_err();
            assert!(bad[0].line == 1 && bad[0].what.contains(words), "{header}: {bad:?}");
        }
        assert!(read(format!("{header}a,\"{}", "x".repeat(1 << 20)).as_bytes()).is_err(), "a quote that never ends");
    }
}
