//! Node's libraries as judges: installed by name from npm into a folder under the target directory, and kept there from one
//! run to the next.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::left_out::{is_set, left_out};
use super::python::run;

/// The folder that holds this library, which is named with its version, below `node_modules`. None where it cannot be had,
/// which `CI` does not allow; `what` says what is left out then.
pub fn npm(library: &str, what: &str) -> Option<PathBuf> {
    match installed(library) {
        Ok(folder) => Some(folder),
        Err(reason) => {
            assert!(!is_set("CI"), "no {library} from npm: {reason}");
            let reason = reason.trim().lines().next_back().unwrap_or_default().to_owned();
            left_out(&format!("{what}: no {library} from npm on this machine ({reason})"));
            None
        }
    }
}

fn installed(library: &str) -> Result<PathBuf, String> {
    /// Tests that want the same library at the same time install it once.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("node-{}", library.replace('@', "-")));
    // Written last, so that half an installation is never taken for a whole one.
    let complete = folder.join("complete");
    if complete.is_file() {
        return Ok(folder);
    }
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let install = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "1"];
    run(Command::new("npm").args(install).args(["--fetch-timeout", "15000", "--prefix"]).arg(&folder).arg(library))?;
    std::fs::write(&complete, "").map_err(|error| error.to_string())?;
    Ok(folder)
}
