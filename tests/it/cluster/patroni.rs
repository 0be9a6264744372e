//! Two machines of PostgreSQL under Patroni, and the etcd by which they agree, as the manual says: Debian's packages, a newer
//! Patroni, and the files that an operator copies (`systemd/patroni.yml`, `systemd/etcd.env`). Only addresses, folders, passwords
//! and the times are others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::place::{Place, as_nobody, cut_power, end_server, go_on, is_server_of, server_programs, stop};
use crate::harness::debian::program;
use crate::harness::port::free_port;
use crate::harness::python::{python, run};
use crate::harness::wait::{PATIENCE, eventually_within};
use crate::harness::{Client, eventually};
use crate::proxies::front::replaced;

const WHAT: &str = "PostgreSQL under Patroni";
/// Where Debian's libraries for Python lie.
const LIBRARIES: &str = "usr/lib/python3/dist-packages";
/// As the manual names it.
const PATRONI: &str = "patroni==4.1.5";
/// What Patroni needs to run with etcd, each with a file of it.
const PACKAGES: &[(&str, &str)] = &[
    ("python3-dateutil", "dateutil/parser/__init__.py"),
    ("python3-dnspython", "dns/resolver.py"),
    ("python3-etcd", "etcd/__init__.py"),
    ("python3-psutil", "psutil/__init__.py"),
    ("python3-psycopg2", "psycopg2/__init__.py"),
    ("python3-six", "six.py"),
    ("python3-urllib3", "urllib3/__init__.py"),
    ("python3-yaml", "yaml/__init__.py"),
];
/// The password of the database's own role.
const PASSWORD: &str = "only-for-this-test";

/// Both machines, and the etcd.
pub struct Cluster {
    machines: [Machine; 2],
    etcd: Child,
    etcd_port: u16,
    bin: PathBuf,
    libraries: PathBuf,
    place: Place,
}

struct Machine {
    name: &'static str,
    patroni: Option<Child>,
    port: u16,
    rest: u16,
}

impl Cluster {
    /// A primary, a synchronous standby, and a database `till` with a role of its own. None where the packages are missing.
    pub fn start() -> Option<Cluster> {
        let etcd = program("etcd-server", "usr/bin/etcd", WHAT)?;
        let found: Option<Vec<PathBuf>> =
            PACKAGES.iter().map(|(package, file)| program(package, &format!("{LIBRARIES}/{file}"), WHAT)).collect();
        let python = python("patroni", &[PATRONI], WHAT)?;
        let bin = server_programs(WHAT)?;
        let place = Place::new();
        let libraries = gather(&place, &found?, &python);
        let (etcd_port, peer_port) = (free_port(), free_port());
        let mut command = Command::new(etcd);
        command.env_clear().envs(etcd_settings(&place, etcd_port, peer_port)).args(["--log-level", "warn"]);
        let etcd = place.start("etcd", &mut command);
        let machine = |name| Machine { name, patroni: None, port: free_port(), rest: free_port() };
        let mut cluster =
            Cluster { machines: [machine("db1"), machine("db2")], etcd, etcd_port, bin, libraries, place };
        (0..2).for_each(|number| cluster.power_on(number));
        cluster.wait_for_standby();
        cluster.make_database();
        Some(cluster)
    }

    /// What till is given as SPRITE_DATABASE: both machines, of which the driver takes the one that writes.
    pub fn url(&self) -> String {
        let [one, other] = [&self.machines[0], &self.machines[1]].map(|machine| machine.port);
        format!("postgres://till:{PASSWORD}@127.0.0.1:{one},127.0.0.1:{other}/till?target_session_attrs=read-write")
    }

    /// Which machine is the primary now.
    pub fn primary(&self) -> usize {
        eventually("a primary", || (0..2).find(|number| self.says(*number, "/primary")))
    }

    /// Waits until the other machine is a synchronous standby, without which none may take over.
    pub fn wait_for_standby(&self) {
        const STATE: &str = "SELECT sync_state FROM pg_stat_replication";
        // A machine is copied for it, and each step waits for a turn of Patroni.
        eventually_within(4 * PATIENCE, "a synchronous standby", || {
            let primary = (0..2).find(|number| self.says(*number, "/primary"))?;
            // The database says when it is one, and Patroni when it may take over.
            let is_one = self.psql(self.machines[primary].port, STATE).is_ok_and(|said| said.trim() == "sync");
            (is_one && self.says(1 - primary, "/synchronous") && !self.says(1 - primary, "/primary")).then_some(())
        });
    }

    /// Ends all of a machine at once, as a power cut would.
    pub fn cut_power(&mut self, number: usize) {
        self.end(number, |server, _| cut_power(server));
    }

    /// Everything of a machine but its kernel stands still.
    pub fn stop(&self, number: usize) {
        self.processes(number).for_each(stop);
    }

    /// It goes on as if nothing had been.
    pub fn go_on(&self, number: usize) {
        self.processes(number).for_each(go_on);
    }

    fn end(&mut self, number: usize, end_server: impl Fn(u32, &Path)) {
        self.go_on(number);
        if let Some(mut patroni) = self.machines[number].patroni.take() {
            let _ended_already = patroni.kill();
            let _status = patroni.wait();
        }
        let data = self.data(number);
        self.server(number).into_iter().for_each(|server| end_server(server, &data));
    }

    fn data(&self, number: usize) -> PathBuf {
        self.place.path(self.machines[number].name).join("data")
    }

    /// The PostgreSQL of a machine, while it runs.
    fn server(&self, number: usize) -> Option<u32> {
        let data = self.data(number);
        let first_line = fs::read_to_string(data.join("postmaster.pid"));
        let server = first_line.ok().and_then(|text| text.lines().next()?.parse().ok());
        // After a power cut the file names a process that has ended, or by now another's.
        server.filter(|server| is_server_of(*server, &data))
    }

    fn processes(&self, number: usize) -> impl Iterator<Item = u32> {
        let patroni = self.machines[number].patroni.as_ref().map(Child::id);
        patroni.into_iter().chain(self.server(number))
    }

    /// Starts a machine.
    pub fn power_on(&mut self, number: usize) {
        let settings = self.settings(number);
        let machine = &mut self.machines[number];
        let folder = self.place.folder(machine.name);
        fs::write(folder.join("patroni.yml"), settings).unwrap();
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-m", "patroni"]).arg(folder.join("patroni.yml")).env_clear();
        command.env("PYTHONPATH", &self.libraries).env("PATH", std::env::var_os("PATH").unwrap());
        machine.patroni = Some(self.place.start(machine.name, &mut command));
    }

    /// Whether the machine answers this question with yes.
    fn says(&self, number: usize, question: &str) -> bool {
        let client = Client::new(&format!("http://127.0.0.1:{}", self.machines[number].rest), &[]);
        client.try_send("GET", question, &[], b"").is_ok_and(|answer| answer.status == 200)
    }

    fn settings(&self, number: usize) -> String {
        let Machine { name, port, rest, .. } = &self.machines[number];
        let folder = self.place.path(name);
        let at = |name: &str| folder.join(name).display().to_string();
        let etcd = format!("127.0.0.1:{}", self.etcd_port);
        let mut words = vec![
            ("name: db1", format!("name: {name}")),
            ("10.0.0.11:2379,10.0.0.12:2379,10.0.0.13:2379", etcd),
            ("10.0.0.11:8008", format!("127.0.0.1:{rest}")),
            ("10.0.0.11:5432", format!("127.0.0.1:{port}")),
            ("10.0.0.0/24", "127.0.0.1/32".to_owned()),
            // As low as Patroni takes them, as `ttl: 20` is, so that the test is short.
            ("loop_wait: 5", "loop_wait: 1".to_owned()),
            ("retry_timeout: 5", "retry_timeout: 3".to_owned()),
            // A process is killed, and not the machine: so nothing has to be on a disk.
            ("wal_log_hints: \"on\"", "wal_log_hints: \"on\"\n        fsync: \"off\"".to_owned()),
            ("- data-checksums", "- data-checksums\n    - no-sync".to_owned()),
            ("/var/lib/postgresql/15/till", at("data")),
            ("/usr/lib/postgresql/15/bin", self.bin.display().to_string()),
            ("/var/lib/postgresql/.pgpass_patroni", at("pgpass")),
            ("/var/run/postgresql", folder.display().to_string()),
        ];
        let passwords = ["put-a-password-of-your-own-here-1", "put-a-password-of-your-own-here-2"];
        words.extend(passwords.map(|password| (password, PASSWORD.to_owned())));
        words.push(("put-a-password-of-your-own-here-3", PASSWORD.to_owned()));
        replaced(include_str!("../../../systemd/patroni.yml"), &words)
    }

    /// As the manual says.
    fn make_database(&self) {
        let manual = include_str!("../../../docs/scale.md");
        let block = manual.split("```sql\nCREATE ROLE").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let block = replaced(block, &[("put-a-password-of-your-own-here", PASSWORD.to_owned())]);
        let statements = format!("CREATE ROLE{block}");
        let primary = self.machines[self.primary()].port;
        for statement in statements.split_inclusive(';').map(str::trim).filter(|one| !one.is_empty()) {
            self.psql(primary, statement).unwrap_or_else(|said| panic!("{said}"));
        }
    }

    /// What PostgreSQL's own client is answered by the server at this port.
    fn psql(&self, port: u16, statement: &str) -> Result<String, String> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-U",
            "postgres",
            "-c",
            statement,
        ]);
        run(psql.arg("postgres").env("PGPASSWORD", PASSWORD))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..2).for_each(|number| self.end(number, end_server));
        let _ended_already = self.etcd.kill();
        let _status = self.etcd.wait();
    }
}

/// etcd's settings, on one machine.
fn etcd_settings(place: &Place, port: u16, peer_port: u16) -> Vec<(String, String)> {
    let others = "db1=http://10.0.0.11:2380,db2=http://10.0.0.12:2380,db3=http://10.0.0.13:2380";
    let settings = replaced(
        include_str!("../../../systemd/etcd.env"),
        &[
            (others, format!("db1=http://127.0.0.1:{peer_port}")),
            ("10.0.0.11:2379", format!("127.0.0.1:{port}")),
            ("10.0.0.11:2380", format!("127.0.0.1:{peer_port}")),
            ("/var/lib/etcd/till", place.folder("etcd").display().to_string()),
        ],
    );
    let lines = settings.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// One folder of the libraries that are not installed, which nobody may read where the build may lie in root's own.
fn gather(place: &Place, found: &[PathBuf], python: &Path) -> PathBuf {
    assert!(include_str!("../../../docs/scale.md").contains(PATRONI), "the manual names another Patroni");
    let folder = place.folder("python");
    let roots = found.iter().filter_map(|file| file.ancestors().find(|folder| folder.ends_with(LIBRARIES)));
    for root in roots.filter(|root| *root != Path::new("/").join(LIBRARIES)) {
        run(Command::new("cp").arg("-r").arg(root.join(".")).arg(&folder)).unwrap();
    }
    let patroni = run(Command::new(python).args(["-c", "import patroni; print(patroni.__path__[0])"])).unwrap();
    run(Command::new("cp").args(["-r", patroni.trim()]).arg(&folder)).unwrap();
    let readable = as_nobody(Command::new("test").arg("-r").arg(&folder)).status();
    assert!(readable.unwrap().success(), "{} cannot be read", folder.display());
    folder
}
