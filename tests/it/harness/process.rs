//! The real binary: started as an operator would start it, its log read line by line, ended when dropped.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;

use super::wait::{PATIENCE, eventually};

/// The binary under test: the one that `TILL_BIN` names, else the one that cargo has just built.
pub fn binary() -> PathBuf {
    std::env::var_os("TILL_BIN").map_or_else(|| env!("CARGO_BIN_EXE_till").into(), PathBuf::from)
}

/// Makes a Unix socket at its first argument, and passes it to the rest as systemd does (sd_listen_fds(3)).
const PASS_SOCKET: &str = "\
import os, socket, sys
path, *program = sys.argv[1:]
listening = socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen(4096)
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(program[0], program)
";

/// `till` with these variables and no others.
pub fn command(variables: &BTreeMap<String, String>) -> Command {
    with_variables(Command::new(binary()), variables)
}

fn with_variables(mut command: Command, variables: &BTreeMap<String, String>) -> Command {
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(variables);
    command
}

/// Runs `till ARGUMENTS` to its end.
pub fn run(variables: &BTreeMap<String, String>, arguments: &[&str]) -> Output {
    command(variables).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The same, with a line on its standard input.
pub fn run_with_input(variables: &BTreeMap<String, String>, arguments: &[&str], line: &str) -> Output {
    let mut command = command(variables);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let written = writeln!(child.stdin.take().unwrap(), "{line}");
    // A command may end without reading.
    assert!(written.as_ref().map_or_else(|cause| cause.kind() == ErrorKind::BrokenPipe, |()| true), "{written:?}");
    child.wait_with_output().unwrap()
}

/// What a command said to people: its standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a command prints that must succeed.
#[track_caller]
pub fn prints(variables: &BTreeMap<String, String>, arguments: &[&str]) -> String {
    let output = run(variables, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The same of a command with `--json`.
#[track_caller]
pub fn parsed(variables: &BTreeMap<String, String>, arguments: &[&str]) -> Value {
    serde_json::from_str(&prints(variables, &[arguments, &["--json"]].concat())).unwrap()
}

/// A command that must fail with these words.
#[track_caller]
pub fn refused(output: &Output, words: &str) {
    assert!(output.status.code() == Some(1) && said(output).contains(words), "{words}: {}", said(output));
}

/// `till serve`, ready.
pub struct Till {
    child: Child,
    log: Log,
    /// Its origin.
    pub url: String,
}

impl Till {
    /// Starts it and waits until it says that it is ready.
    pub fn start(variables: &BTreeMap<String, String>) -> Till {
        Till::start_by(command(variables))
    }

    /// The same, at a Unix socket that is passed to it.
    pub fn start_at(socket: &Path, variables: &BTreeMap<String, String>) -> Till {
        let mut command = with_variables(Command::new("python3"), variables);
        command.args(["-c", PASS_SOCKET]).arg(socket).arg(binary());
        Till::start_by(command)
    }

    /// The same, by a command of one's own that ends in `till`.
    pub fn start_by(mut command: Command) -> Till {
        let child = command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|why| panic!("{}: {why}", binary().display()));
        let log = Log::read(BufReader::new(child.stderr.take().unwrap()));
        let mut till = Till { child, log, url: String::new() };
        let ready = till.log.wait("ready", |line| line["event"] == "ready");
        till.url = ready["url"].as_str().unwrap().to_owned();
        till
    }

    /// Waits for a line of the log.
    pub fn wait_for_log(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.log.wait(what, is_it)
    }

    /// All lines so far, as they were written.
    pub fn log(&self) -> String {
        self.log.lines.0.lock().unwrap().lines.join("\n")
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as a service manager does.
    pub fn ask_to_stop(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap().success());
    }

    /// Waits until it has ended.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        eventually("the end of till", || self.child.try_wait().unwrap())
    }

    /// Asks it to end and waits until it has.
    pub fn terminate(mut self) -> ExitStatus {
        self.ask_to_stop();
        self.wait_for_end()
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _no_status = self.child.wait();
    }
}

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    is_closed: bool,
}

/// What a process has written to standard error, gathered by a thread.
struct Log {
    lines: Arc<(Mutex<Lines>, Condvar)>,
}

impl Log {
    fn read(from: impl BufRead + Send + 'static) -> Log {
        let lines = Arc::<(Mutex<Lines>, Condvar)>::default();
        let shared = Arc::clone(&lines);
        thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                shared.0.lock().unwrap().lines.push(line);
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().is_closed = true;
            shared.1.notify_all();
        });
        Log { lines }
    }

    fn wait(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let found = |lines: &Lines| {
            let mut parsed = lines.lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            parsed.find(|line| is_it(line))
        };
        let lines = self.lines.0.lock().unwrap();
        let goes_on = |lines: &mut Lines| found(lines).is_none() && !lines.is_closed;
        let (lines, _) = self.lines.1.wait_timeout_while(lines, PATIENCE, goes_on).unwrap();
        found(&lines).unwrap_or_else(|| panic!("no {what} in the log:\n{}", lines.lines.join("\n")))
    }
}
