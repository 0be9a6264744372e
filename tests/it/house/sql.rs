//! SQL and its drivers have their place, and the ledger's rows are for ever.

use super::rust::Source;
use super::tree::Finding;

const STATEMENTS: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "PRAGMA", "WITH"];
const DRIVERS: &[&str] = &["rusqlite", "r2d2", "r2d2_sqlite", "postgres", "r2d2_postgres"];
/// The files in which a driver is named.
const ENGINES: &[&str] = &["src/store/db/sqlite", "src/store/db/postgresql"];

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
