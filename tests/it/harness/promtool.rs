//! Prometheus' own tool as a judge of metrics and alerts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::debian;

/// The tool; none where it cannot be had, which `CI` does not allow. `what` says what is left out then.
pub fn promtool(what: &str) -> Option<PathBuf> {
    debian::program("prometheus", "usr/bin/promtool", what)
}

/// Runs it with this on its standard input.
pub fn judge(tool: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(tool);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
