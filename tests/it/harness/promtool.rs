//! Prometheus' own tool as a judge of metrics and alerts: Debian's package, fetched by name, of which one file is unpacked under
//! the target directory. Nothing is installed, so no server starts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use super::left_out::{is_set, left_out};
use super::python::run;

/// The tool; none where it cannot be had, which `CI` does not allow. `what` says what is left out then.
pub fn promtool(what: &str) -> Option<PathBuf> {
    match unpacked() {
        Ok(tool) => Some(tool),
        Err(reason) => {
            assert!(!is_set("CI"), "no promtool: {reason}");
            let reason = reason.trim().lines().next_back().unwrap_or_default().to_owned();
            left_out(&format!("{what}: no promtool on this machine ({reason})"));
            None
        }
    }
}

/// Runs it with this on its standard input.
pub fn judge(tool: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(tool);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn unpacked() -> Result<PathBuf, String> {
    /// Tests that want it at the same time fetch it once.
    static FETCHING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Ok(installed) = run(Command::new("sh").args(["-c", "command -v promtool"])) {
        return Ok(PathBuf::from(installed.trim()));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("promtool");
    let tool = folder.join("promtool");
    if tool.exists() {
        return Ok(tool);
    }
    let whole = folder.join("whole");
    let _none = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&whole).map_err(|error| error.to_string())?;
    run(Command::new("apt-get").args(["download", "-q", "prometheus"]).current_dir(&folder))?;
    let packages = std::fs::read_dir(&folder).map_err(|error| error.to_string())?.filter_map(Result::ok);
    let mut packages =
        packages.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "deb"));
    let package = packages.next().ok_or("apt-get fetched no package")?;
    run(Command::new("dpkg").arg("-x").arg(&package).arg(&whole))?;
    // The name comes last, so that half a file is never taken for a whole one.
    std::fs::rename(whole.join("usr/bin/promtool"), &tool).map_err(|error| error.to_string())?;
    let _kept = (std::fs::remove_dir_all(&whole), std::fs::remove_file(&package));
    Ok(tool)
}
