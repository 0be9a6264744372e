//! Python's libraries as judges: installed by name from PyPI into a folder under the target directory, and kept there from
//! one run to the next.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::left_out::{is_set, left_out};

/// A Python that has these libraries, which are named with their versions. None where there is none, which `CI` does not
/// allow; `what` says what is left out then.
pub fn python(name: &str, libraries: &[&str], what: &str) -> Option<PathBuf> {
    match installed(name, libraries) {
        Ok(python) => Some(python),
        Err(reason) => {
            assert!(!is_set("CI"), "no Python with {}: {reason}", libraries.join(", "));
            let reason = reason.trim().lines().next_back().unwrap_or_default().to_owned();
            left_out(&format!("{what}: no Python with {} on this machine ({reason})", libraries.join(", ")));
            None
        }
    }
}

/// A program that ended well, or what it said.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(said(&output.stdout)),
        false => Err(format!("{}{}", said(&output.stdout), said(&output.stderr))),
    }
}

fn installed(name: &str, libraries: &[&str]) -> Result<PathBuf, String> {
    /// Tests that want the same libraries at the same time install them once.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"));
    let python = folder.join("bin/python");
    // Written last, so that half an installation is never taken for a whole one.
    let complete = folder.join("complete");
    let wanted = libraries.join("\n");
    if std::fs::read_to_string(&complete).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--timeout", "15"];
    run(Command::new(&python).args(install).args(libraries))?;
    std::fs::write(&complete, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}
