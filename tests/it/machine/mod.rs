//! An installed till, on a Debian that boots its own systemd: the package, `till install`, the units, and what an administrator
//! does beside them.

mod books;
mod install;
mod package;
mod service;
mod units;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::harness::process::binary;
use crate::harness::python::run;
use crate::harness::{Folder, Machine, eventually};

/// The service's configuration, as an administrator leaves it.
const CONFIGURATION: &str = "\
SPRITE_BASE_URL=http://127.0.0.1:8080
SPRITE_DATABASE=/var/lib/till/till.db
SPRITE_STRIPE_API_BASE=http://127.0.0.1:12111
SPRITE_RECONCILE_INTERVAL=off
";
/// How a shell gets it.
const WITH_CONFIGURATION: &str = "set -a; . /etc/till/till.env; CREDENTIALS_DIRECTORY=/etc/till/credentials; set +a";

/// A folder with the program under test.
fn program_folder() -> &'static Folder {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Folder::new();
        // A debug build is ten times as large with what debuggers read.
        run(Command::new("strip").arg("-o").arg(folder.path("till")).arg(binary())).unwrap();
        folder
    })
}

/// The package of this version, made of the program under test.
fn package(version: &str) -> PathBuf {
    let folder = program_folder();
    packed(&folder.path("till"), folder, version, &folder.path("till"))
}

/// A package of any program; the files around it are written by `runs`.
fn packed(program: &Path, folder: &Folder, version: &str, runs: &Path) -> PathBuf {
    let into = folder.path(&format!("{version}-{:?}", std::thread::current().id()));
    fs::create_dir_all(&into).unwrap();
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/package"));
    command.arg(program).arg(&into).arg(version).env("TILL_COMPRESSION", "none").env("TILL_RUN", runs);
    let said = run(&mut command).unwrap_or_else(|said| panic!("{said}"));
    PathBuf::from(said.lines().last().unwrap())
}

/// Puts a file of this machine into the other's `/root`; its path there.
fn brought(machine: &Machine, file: &Path) -> String {
    let path = format!("/root/{}", file.file_name().unwrap().to_str().unwrap());
    fs::copy(file, machine.path(&path)).unwrap();
    path
}

/// A machine on which the package is installed and configured, with the stand-in for Stripe, and the socket open. The service
/// has not begun.
fn installed(what: &str) -> Option<Machine> {
    let machine = Machine::boot(what)?;
    let path = brought(&machine, &package("0.1.0"));
    machine
        .shell(&format!("dpkg -i {path} && systemd-run --quiet --unit=stand-in till sandbox --listen 127.0.0.1:12111"));
    configure(&machine);
    machine.shell("systemctl enable --quiet --now till.socket");
    Some(machine)
}

fn configure(machine: &Machine) {
    fs::write(machine.path("/etc/till/till.env"), CONFIGURATION).unwrap();
    machine.write("/etc/till/credentials/sprite_stripe_secret_key", "sk_test_machine\n");
    machine.write("/etc/till/credentials/sprite_stripe_webhook_secret", "whsec_machine\n");
}

/// What an administrator's command prints, run as root with the service's configuration.
fn admin(machine: &Machine, line: &str) -> String {
    machine.shell(&format!("{WITH_CONFIGURATION}; {line}"))
}

/// A request in the machine's own network; its status, or 0 if there was no answer.
fn ask(machine: &Machine, path: &str) -> u16 {
    let url = format!("http://127.0.0.1:8080{path}");
    let said =
        run(&mut in_network(machine, "curl", &["-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "60", &url]));
    said.unwrap_or_default().trim().parse().unwrap_or(0)
}

/// A program of this machine in the network of the other.
fn in_network(machine: &Machine, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &machine.init().to_string(), "--net", program]).args(arguments);
    command.stdin(Stdio::null());
    command
}

fn property(machine: &Machine, unit: &str, name: &str) -> String {
    machine.shell(&format!("systemctl show -P {name} {unit}")).trim().to_owned()
}

fn wait_for_state(machine: &Machine, unit: &str, state: &str) {
    eventually(&format!("{unit} {state}"), || (property(machine, unit, "ActiveState") == state).then_some(()));
}

/// Owners of all that is in the service's folder, by `user:group`.
fn owners(machine: &Machine) -> String {
    machine.shell("find -L /var/lib/till -printf '%u:%g\\n' | sort -u").trim().to_owned()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|fault| panic!("{fault}: {text}"))
}

/// A program that says one line when it is ready, and ends with its input.
struct Helper(Child, BufReader<std::process::ChildStdout>);

impl Helper {
    fn start(mut command: Command, ready: &str) -> Helper {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), ready);
        Helper(child, out)
    }

    /// Ends its input; what it said last.
    fn finish(mut self) -> String {
        let _already = self.0.stdin.take().unwrap().flush();
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        self.0.wait().unwrap();
        line
    }
}

fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name).display().to_string()
}
