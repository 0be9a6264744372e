//! Programs that a test makes. Another process writes them: what this one has open for writing is open for a moment in each
//! process that another test starts meanwhile, and a file that is open for writing cannot be run (`ETXTBSY`).

use std::path::Path;
use std::process::Command;

use super::python::run;

/// A script for the shell, which begins with its `#!`.
pub fn write_script(path: &Path, text: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-ec", r#"printf %s "$2" >"$1"; chmod 755 "$1""#, "sh"]).arg(path).arg(text);
    run(&mut shell).unwrap();
}

/// A copy of a program.
pub fn copy_program(from: &Path, to: &Path) {
    run(Command::new("cp").arg(from).arg(to)).unwrap();
}
