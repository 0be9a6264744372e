//! Saying what was not tested, where a test cannot be run on this machine.

use std::io::Write;

/// Says it on standard error, past the test runner, which would swallow it; `tests/run` lists these lines at its end.
pub fn left_out(what: &str) {
    writeln!(std::io::stderr().lock(), "left out: {what}").unwrap();
}

/// Whether the environment asks for this.
pub fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0" && value != "false")
}
