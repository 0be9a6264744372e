//! A small Debian of its own: made by debootstrap once and kept under the target directory, with a layer for each test over
//! it, in namespaces of its own. It boots its own systemd, or is only a place for dpkg.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use super::folder::Folder;
use super::left_out::{is_set, left_out};
use super::python::run;
use super::wait::eventually;

const RELEASE: &str = "bookworm";
/// Beyond what a Debian cannot do without.
const PACKAGES: &str = "systemd,systemd-sysv";
const SYSTEMD: &[&str] = &["/lib/systemd/systemd", "--log-target=journal", "--unit=multi-user.target"];
const NOTHING: &[&str] = &["/bin/sleep", "infinity"];

/// A machine that runs until it is dropped.
pub struct Machine {
    process: Child,
    /// Its first process, as this machine counts.
    init: u32,
    _folder: Folder,
}

impl Machine {
    /// Boots one with its own systemd. None where that cannot be; `what` says what is left out then.
    pub fn boot(what: &str) -> Option<Machine> {
        let machine = Machine::start(what, SYSTEMD)?;
        eventually("a system that is up", || {
            let state = machine.run(&["systemctl", "is-system-running"]);
            ["running", "degraded"].contains(&String::from_utf8_lossy(&state.stdout).trim()).then_some(())
        });
        Some(machine)
    }

    /// The same without systemd, as dpkg meets it in a container.
    pub fn without_systemd(what: &str) -> Option<Machine> {
        Machine::start(what, NOTHING)
    }

    fn start(what: &str, init: &[&str]) -> Option<Machine> {
        let tree = tree(what)?;
        let folder = Folder::new();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/harness/boot.sh");
        // It ends with the test, also where that is killed.
        let own = ["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh"];
        let mut command = Command::new("setpriv");
        command.args(own).arg(script).arg(tree).arg(folder.path("")).args(init).stdin(Stdio::null());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let init = eventually("the machine's first process", || {
            if let Some(status) = process.try_wait().unwrap() {
                let mut said = String::new();
                std::io::Read::read_to_string(process.stderr.as_mut().unwrap(), &mut said).unwrap();
                panic!("the machine ended ({status}): {said}");
            }
            let child = |parent: u32| {
                let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
                children.split_whitespace().next()?.parse::<u32>().ok()
            };
            let init = child(child(process.id())?)?;
            // Before it has its own root and program, it is still the script.
            let program = fs::read_link(format!("/proc/{init}/exe")).ok()?;
            let is_there = program.ends_with("systemd") || program.ends_with("sleep");
            is_there.then_some(init)
        });
        Some(Machine { process, init, _folder: folder })
    }

    /// Its first process.
    pub fn init(&self) -> u32 {
        self.init
    }

    /// Begins a command in it, as root and with nothing of this machine's environment.
    pub fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init.to_string()]);
        command.args(["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--root", "--wd"]);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
        command.arg("--").args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command in it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a line of shell in it, which must succeed; what it printed.
    #[track_caller]
    pub fn shell(&self, line: &str) -> String {
        run(&mut self.command(&["sh", "-ec", line])).unwrap_or_else(|said| panic!("{line}: {said}"))
    }

    /// The same, which must fail; what it said.
    #[track_caller]
    pub fn refuses(&self, line: &str) -> String {
        run(&mut self.command(&["sh", "-ec", line])).expect_err(line)
    }

    /// One of its files, as this machine sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    /// Writes one of its files.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What the journal of a unit says.
    pub fn journal(&self, unit: &str) -> String {
        let output = self.run(&["journalctl", "--no-pager", "-u", unit]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // All of its processes end with the first.
        let _ended = Command::new("kill").args(["-KILL", &self.init.to_string()]).status();
        let _no_status = self.process.wait();
    }
}

/// The tree that all machines stand on.
fn tree(what: &str) -> Option<PathBuf> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(reason) = namespaces() {
        left_out(&format!("{what}: {reason}"));
        return None;
    }
    let tree = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("debian-{RELEASE}"));
    // Written last, so that half a tree is never taken for a whole one.
    let complete = tree.with_extension("complete");
    if complete.is_file() {
        return Some(tree);
    }
    let _half_a_tree = fs::remove_dir_all(&tree);
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", &format!("--include={PACKAGES}"), RELEASE]).arg(&tree).args(mirror());
    match run(&mut command) {
        Ok(_) => {
            fs::write(&complete, "").unwrap();
            Some(tree)
        }
        Err(said) => {
            assert!(!is_set("CI"), "no Debian by debootstrap: {said}");
            left_out(&format!("{what}: no Debian by debootstrap ({})", said.lines().last().unwrap_or_default()));
            None
        }
    }
}

/// Why this machine cannot have another one inside, if it cannot.
fn namespaces() -> Result<(), String> {
    let test =
        ["--mount", "--propagation", "private", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "true"];
    let made = run(Command::new("unshare").args(test));
    let first = |said: String| said.lines().next().unwrap_or_default().to_owned();
    made.map(drop).map_err(|said| format!("this machine allows no namespaces ({})", first(said)))
}

/// Where this machine's own packages come from.
fn mirror() -> Option<String> {
    let format = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main"];
    let release = format!("Codename: {RELEASE}");
    let listed = run(Command::new("apt-get").args(format).arg(release)).ok()?;
    listed.lines().next().map(|uri| uri.trim_end_matches('/').to_owned()).filter(|uri| !uri.is_empty())
}
