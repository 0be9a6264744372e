//! Processes that the benchmark starts, each ended by its id when its owner goes, and what the machine says of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use till::error::Fault;

use super::Outcome;

/// How long a process may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(15);
/// The unit of the times in `/proc`: USER_HZ, which Linux fixes for programs (proc_pid_stat(5)).
const TICKS_A_SECOND: f64 = 100.0;

/// An empty folder of this run's own below cargo's, on the disk that is measured. Removed with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(place: &Path) -> Outcome<Folder> {
        let path = place.join(format!("bench-{}", std::process::id()));
        // One that a killed run with the same process id left behind.
        let _none = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|cause| Fault::new(format!("cannot make {}", path.display()), cause))?;
        Ok(Folder(path))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

/// A process, ended when this goes.
pub struct Process(pub Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    pub fn stop(mut self) -> Outcome<ExitStatus> {
        let cannot = |cause| Fault::new("cannot end a process", cause);
        let asked = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().map_err(cannot)?;
        let started = Instant::now();
        while asked.success() && started.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait().map_err(cannot)? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Fault::bare(format!("process {} did not end within {PATIENCE:?} when asked to", self.id())))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _no_status = self.0.wait();
    }
}

/// The processor time that a process has used so far, in seconds; zero where the machine does not tell.
pub fn cpu_seconds(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name, in brackets, may hold anything. User and system time are the 12th and 13th fields after it.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
}

/// How much of a process lies in memory, in bytes; zero where the machine does not tell.
pub fn resident_bytes(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    resident.and_then(|kibibytes| kibibytes.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// Processors that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What was measured, as git names it; `unknown` where git is not there.
pub fn commit() -> String {
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude", "*"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let told = git.ok().filter(|output| output.status.success());
    told.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
