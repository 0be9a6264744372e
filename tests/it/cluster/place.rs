//! Programs that refuse to run as root: where they are, a folder that they may use, and the user that they run as.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use till::clock::Deadline;

use crate::harness::left_out::{is_set, left_out};
use crate::harness::wait::PATIENCE;

/// The user `nobody` and its group, where the tests run as root: PostgreSQL does not start as root.
const NOBODY: u32 = 65_534;

/// How soon it is noticed that a process has ended.
const STEP: Duration = Duration::from_millis(20);

/// How much of a program's log a failed test shows.
const LOG_LINES: usize = 60;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A folder below the system's own for what is temporary, which that user may read and write. Removed with it.
pub struct Place(PathBuf);

impl Place {
    /// An empty one.
    pub fn new() -> Place {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("till-{}-{number}", std::process::id()));
        // One that a killed run with the same process id left behind.
        let _none = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        give(&path);
        Place(path)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A folder in it.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        give(&path);
        path
    }

    /// Starts a program in it, as the user that it belongs to; what it says goes to a log of this name.
    pub fn start(&self, name: &str, command: &mut Command) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path(&format!("{name}.log"))).unwrap();
        as_nobody(command).current_dir(&self.0).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"))
    }

    /// The end of what each program in it said, for a test that failed.
    fn print_logs(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let log = fs::read_to_string(&path).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let end = &lines[lines.len().saturating_sub(LOG_LINES)..];
                println!("{}:\n{}\n", path.display(), end.join("\n"));
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if thread::panicking() {
            self.print_logs();
        }
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn give(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// The command, which does not run as root.
pub fn as_nobody(command: &mut Command) -> &mut Command {
    match is_root() {
        true => command.uid(NOBODY).gid(NOBODY),
        false => command,
    }
}

/// The folder of PostgreSQL's programs, the newest that is installed. None where there are none, which `CI` does not allow; `what`
/// says what is left out then.
pub fn server_programs(what: &str) -> Option<PathBuf> {
    let versions =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let newest = versions.map(|version| version.join("bin")).filter(|bin| bin.join("postgres").exists()).max();
    if newest.is_none() {
        assert!(!is_set("CI"), "no package postgresql is installed");
        left_out(&format!("{what}: no Debian package postgresql on this machine"));
    }
    newest
}

/// Ends a process and all below it at once, as a power cut would.
pub fn cut_power(process: u32) {
    // The parent first, so that it does not start another in place of one that ended.
    let below = children(process);
    kill(process);
    below.into_iter().for_each(cut_power);
}

/// A process and all below it stand still.
pub fn stop(process: u32) {
    // The parent first, so that it does not start another meanwhile.
    signal("-STOP", process);
    children(process).into_iter().for_each(stop);
}

/// They go on.
pub fn go_on(process: u32) {
    children(process).into_iter().for_each(go_on);
    signal("-CONT", process);
}

/// Whether this process is the PostgreSQL of this folder.
pub fn is_server_of(process: u32, data: &Path) -> bool {
    let command = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    command.split('\0').any(|argument| Path::new(argument) == data)
}

/// Ends the PostgreSQL of this folder at once, but by asking, so that it leaves none of the system's shared memory behind.
pub fn end_server(process: u32, data: &Path) {
    signal("-QUIT", process);
    let patience = Deadline::after(PATIENCE);
    while is_server_of(process, data) && !patience.left().is_zero() {
        thread::sleep(STEP);
    }
}

fn kill(process: u32) {
    signal("-KILL", process);
}

fn signal(name: &str, process: u32) {
    let _ended_already = Command::new("kill").args([name, &process.to_string()]).stderr(Stdio::null()).status();
}

fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap();
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|process| parent_of(*process) == Some(parent)).collect()
}

fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in brackets, may hold anything. The parent is the second field after it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
