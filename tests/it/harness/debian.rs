//! Debian's programs beside till: one that is installed, else unpacked into a folder under the target directory, where no
//! service starts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::left_out::{is_set, left_out};
use super::python::run;

/// The program at `path` of this package. None where there is none, which `CI` does not allow; `what` says what is left out
/// then.
pub fn program(package: &str, path: &str, what: &str) -> Option<PathBuf> {
    let installed = Path::new("/").join(path);
    if installed.exists() {
        return Some(installed);
    }
    match unpacked(package, path) {
        Ok(program) => Some(program),
        Err(reason) => {
            assert!(!is_set("CI"), "no {package}: {reason}");
            let reason = reason.trim().lines().next_back().unwrap_or_default().to_owned();
            left_out(&format!("{what}: no Debian package {package} on this machine ({reason})"));
            None
        }
    }
}

fn unpacked(package: &str, path: &str) -> Result<PathBuf, String> {
    /// Tests that want the same package at the same time fetch it once.
    static FETCHING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("debian-{package}"));
    let program = folder.join("root").join(path);
    // Given this name last, so that half a package is never taken for a whole one.
    if program.exists() {
        return Ok(program);
    }
    let _none = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let fetch = || run(Command::new("apt-get").args(["download", "-q", package]).current_dir(&folder));
    if fetch().is_err() {
        // A machine that has no lists yet.
        run(Command::new("apt-get").args(["update", "-q"]))?;
        fetch()?;
    }
    let fetched = std::fs::read_dir(&folder).map_err(|error| error.to_string())?;
    let file = fetched
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|end| end == "deb"));
    let file = file.ok_or_else(|| format!("apt-get fetched no {package}"))?;
    run(Command::new("dpkg").arg("-x").arg(file).arg(folder.join("unpacked")))?;
    std::fs::rename(folder.join("unpacked"), folder.join("root")).map_err(|error| error.to_string())?;
    match program.exists() {
        true => Ok(program),
        false => Err(format!("the package {package} has no {path}")),
    }
}
