//! SQL and its drivers have their place, and the ledger's rows are for ever.

use super::rust::Source;
use super::tree::{File, Finding};

const STATEMENTS: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "PRAGMA", "WITH"];
const DRIVERS: &[&str] = &["rusqlite", "r2d2", "r2d2_sqlite", "postgres", "tokio_postgres"];
/// The files in which a driver is named.
const ENGINES: &[&str] = &["src/store/db/sqlite", "src/store/db/postgresql"];

/// The database's own clock: it may be wrong, and differ from that of the machine that asks.
const CLOCKS: &[&str] = &[
    "CURRENT_TIME",
    "CURRENT_DATE",
    "LOCALTIME",
    "NOW()",
    "CLOCK_TIMESTAMP",
    "STATEMENT_TIMESTAMP",
    "TRANSACTION_TIMESTAMP",
    "UNIXEPOCH",
    "JULIANDAY",
    "STRFTIME",
    "DATETIME(",
];

/// Finds the database's clock in the schema.
pub fn check_schema(file: &File, found: &mut Vec<Finding>) {
    if file.path == "schema.sql" {
        file.text.lines().enumerate().for_each(|(index, line)| check_clock(file, index + 1, line, found));
    }
}

fn check_clock(file: &File, line: usize, sql: &str, found: &mut Vec<Finding>) {
    let sql = sql.to_uppercase();
    if let Some(clock) = CLOCKS.iter().find(|clock| sql.contains(**clock)) {
        found.push(file.finding(line, format!("the database's clock: {clock}"), "give the time as a parameter"));
    }
}

/// Finds statements and drivers where they do not belong.
pub fn check(source: &Source<'_>, found: &mut Vec<Finding>) {
    let file = source.file;
    if !file.path.starts_with("src/") {
        return;
    }
    if !file.path.starts_with("src/store/") {
        for (at, _) in source.strings.iter().filter(|(_, string)| is_statement(string)) {
            let instead = "put the statement into the file of src/store/ that owns the table, as a const";
            found.push(file.finding(file.line_at(*at), "SQL outside store/", instead));
        }
    }
    // The report tells the operator how far the server's clock is off.
    if file.path.starts_with("src/store/") && !file.path.ends_with("/report.rs") {
        for (at, string) in &source.strings {
            check_clock(file, file.line_at(*at), string, found);
        }
    }
    if !ENGINES.iter().any(|engine| file.path.starts_with(engine)) {
        for driver in DRIVERS {
            for at in source.words(driver) {
                let what = format!("a database driver outside its one file: {driver}");
                found.push(file.finding(file.line_at(at), what, "use store::Tx"));
            }
        }
    }
}

fn is_statement(string: &str) -> bool {
    let mut words = string.split_whitespace();
    let is_verb = words.next().is_some_and(|word| STATEMENTS.contains(&word));
    // `DELETE /v1/…` is a request.
    is_verb && words.next().is_some_and(|word| !word.starts_with('/'))
}
