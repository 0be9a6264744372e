//! The daily backup: a timer of systemd's, which comes with till's units.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use crate::cli::output::one_line;
use crate::database::Database;

const TIMER: &str = "till-backup.timer";
const SERVICE: &str = "till-backup.service";
/// What does the same without systemd.
const BY_ANOTHER: &str = "let cron or another timer run till backup --keep 14 FOLDER";

/// Why systemd cannot back these books up, and what to do instead, if it cannot.
pub(super) fn obstacle(database: &Database) -> Option<String> {
    let Database::File(database) = database else {
        return Some(format!("the books are in {database}: pg_dump makes their backup, by a timer of the server's"));
    };
    let command = match systemctl(&["show", "--property=ExecStart", "--value", SERVICE]) {
        Ok(command) => command,
        Err(Failure::Missing) => return Some(format!("there is no systemctl on this machine: {BY_ANOTHER}")),
        Err(Failure::Refused(said)) => return Some(format!("systemd does not answer ({said}): {BY_ANOTHER}")),
    };
    let books = database.to_string_lossy();
    if command.trim().is_empty() {
        return Some(format!(
            "systemd has no {SERVICE}: install till's units by the package or till install, then run, as root: systemctl enable \
             --now {TIMER}"
        ));
    }
    let names_them = command.contains(&format!(" {books} "));
    (!names_them).then(|| {
        format!(
            "{SERVICE} backs up other books than {}: name these in its ExecStart= (systemctl edit {SERVICE}) and run till setup \
             again, or {BY_ANOTHER}",
            one_line(&books)
        )
    })
}

/// Has a backup made every day from now on; the error says why not, and what to do.
pub(super) fn enable() -> Result<(), String> {
    let words = ["enable", "--now", TIMER];
    let done = systemctl(&words).map(drop);
    done.map_err(|failure| {
        let said = match failure {
            Failure::Missing => "there is no systemctl on this machine".to_owned(),
            Failure::Refused(said) => said,
        };
        format!("systemd does not take {TIMER} ({said}): run, as root: systemctl {}", words.join(" "))
    })
}

enum Failure {
    /// There is no such program.
    Missing,
    /// With what it said last.
    Refused(String),
}

fn systemctl(arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new("systemctl").args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => Failure::Missing,
        _ => Failure::Refused(cause.to_string()),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(Failure::Refused(last.map_or_else(|| output.status.to_string(), |line| one_line(line.trim()))))
}
