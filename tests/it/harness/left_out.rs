//! Saying what was not tested, where a test cannot be run on this machine.

use std::io::Write;

use super::postgres;

/// Says it on standard error, past the test runner, which would swallow it; `tests/run` lists these lines at its end.
pub fn left_out(what: &str) {
    writeln!(std::io::stderr().lock(), "left out: {what}").unwrap();
}

/// Whether the test is left out, because it is about SQLite's own file and the books are on PostgreSQL.
#[must_use]
pub fn is_about_a_file() -> bool {
    is_about_sqlite("a file of SQLite's own")
}

/// The same of anything else that SQLite alone has.
#[must_use]
pub fn is_about_sqlite(what: &str) -> bool {
    let is_left_out = postgres::is_chosen();
    if is_left_out {
        let thread = std::thread::current();
        left_out(&format!("{}: {what}", thread.name().unwrap_or_default()));
    }
    is_left_out
}

/// Whether the test is about what several processes share, which the run with the books on PostgreSQL tests.
#[must_use]
pub fn is_about_a_server() -> bool {
    !postgres::is_chosen()
}

/// Whether the environment asks for this.
pub fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0" && value != "false")
}
