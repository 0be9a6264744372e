//! A PostgreSQL of this run's own, from the machine's package: in a folder of its own, on loopback, with every commit flushed.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use till::error::Fault;

use crate::Outcome;
use crate::process::{Folder, Process};

/// The user `nobody` and its group: PostgreSQL does not start as root.
const NOBODY: u32 = 65_534;
/// How long it may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);
/// The server's settings, beside its defaults: what an operator of a server with 1 GiB of memory or more would set, and what
/// this measurement reads. Every commit is flushed.
const SETTINGS: &[&str] = &[
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "shared_preload_libraries=pg_stat_statements",
];

/// The server, ended when this goes.
pub struct Server {
    process: Process,
    bin: PathBuf,
    port: u16,
}

impl Server {
    /// Makes it in this folder and waits until it takes connections.
    pub fn start(folder: &Folder) -> Outcome<Server> {
        let cannot = |cause| Fault::new("cannot start PostgreSQL", cause);
        let bin = programs()?;
        let data = folder.path("postgres");
        fs::create_dir_all(&data).map_err(cannot)?;
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        if is_root {
            chown(&data, Some(NOBODY), Some(NOBODY)).map_err(cannot)?;
        }
        let command = |name: &str| {
            let mut command = Command::new(bin.join(name));
            if is_root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command.env_clear().env("LC_ALL", "C.UTF-8").current_dir("/").stdin(Stdio::null());
            command
        };
        let mut made = command("initdb");
        made.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "-D",
        ]);
        output(made.arg(&data))?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(cannot)?.port();
        let log = fs::File::create(folder.path("postgres.log")).map_err(cannot)?;
        let mut serve = command("postgres");
        serve.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c"]);
        serve.arg(format!("unix_socket_directories={}", data.display()));
        for setting in SETTINGS {
            serve.args(["-c", setting]);
        }
        let process = Process(serve.stdout(Stdio::null()).stderr(log).spawn().map_err(cannot)?);
        let server = Server { process, bin, port };
        let started = Instant::now();
        while server.ask("postgres", "SELECT 1").is_err() {
            if started.elapsed() > PATIENCE {
                let log = fs::read_to_string(folder.path("postgres.log")).unwrap_or_default();
                return Err(Fault::bare(format!("PostgreSQL did not begin within {PATIENCE:?}:\n{log}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        server.ask("postgres", "CREATE DATABASE till TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")?;
        // Not among the books: their proof finds whatever is not till's own. Its view shows all databases.
        server.ask("postgres", "CREATE EXTENSION pg_stat_statements")?;
        Ok(server)
    }

    /// What till is given as SPRITE_DATABASE.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A program of PostgreSQL's for this database.
    pub fn program(&self, name: &str, database: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env_clear().args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres"]).arg(database);
        command
    }

    /// What a statement answers: fields apart by `|`, rows by new lines.
    pub fn ask(&self, database: &str, sql: &str) -> Outcome<String> {
        let mut psql = self.program("psql", database);
        output(psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]))
            .map(|text| text.trim().to_owned())
    }

    /// A number that a statement answers.
    pub fn number(&self, database: &str, sql: &str) -> Outcome<f64> {
        let text = self.ask(database, sql)?;
        text.parse().map_err(|cause| Fault::new(format!("{sql} answers {text}, and no number"), cause))
    }

    /// The processor time that all of it has used so far, in seconds, also of connections that have ended.
    pub fn cpu_seconds(&self) -> f64 {
        let own = |id: u32| ticks(id, 4);
        let below = children(self.process.id());
        (own(self.process.id()) + below.into_iter().map(|id| ticks(id, 2)).sum::<f64>()) / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked to, so that it leaves none of the system's shared memory behind.
        let _asked = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _status = self.process.0.wait();
    }
}

/// The newest version that the machine has.
fn programs() -> Outcome<PathBuf> {
    let versions =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let newest = versions.map(|version| version.join("bin")).filter(|bin| bin.join("pgbench").exists()).max();
    newest.ok_or_else(|| Fault::bare("this measures PostgreSQL: install Debian's package postgresql"))
}

/// Runs it to its end, which must be good; what it printed.
pub fn output(command: &mut Command) -> Outcome<String> {
    let [stdout, _] = outputs(command)?;
    Ok(stdout)
}

/// The same, and what it says of its progress.
pub fn outputs(command: &mut Command) -> Outcome<[String; 2]> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command.output().map_err(|cause| Fault::new(format!("cannot run {name}"), cause))?;
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if output.status.success() { Ok([stdout, stderr]) } else { Err(Fault::bare(format!("{name}: {stdout}{stderr}"))) }
}

/// The first `count` of a process's times: its own in the program and in the kernel, and those of children that have ended.
fn ticks(id: u32, count: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name, in brackets, may hold anything. The times begin with the 12th field after it (proc_pid_stat(5)).
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(count).filter_map(|ticks| ticks.parse::<f64>().ok()).sum()
}

fn children(parent: u32) -> Vec<u32> {
    let is_child = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        fields.nth(1).and_then(|id| id.parse().ok()) == Some(parent)
    };
    let processes = fs::read_dir("/proc").into_iter().flatten();
    processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}
