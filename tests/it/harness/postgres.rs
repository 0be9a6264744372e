//! A real PostgreSQL of this process' own, from Debian's packages: begun by the first test that wants one, ended with the last.
//! Each test has databases of its own in it, copied from one that has the schema already. To copy one takes longer than many a
//! test, so one that a test leaves with its schema untouched is emptied and given to another.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use postgres::config::SslMode;
use postgres::{Client, Config, NoTls};
use till::app::App;
use till::clock::{Clock, Timestamp};
use till::config::{Need, Sources, load};

use super::port::free_port;
use super::python::run;
use super::wait::eventually;

/// The database that all others are copied from.
const TEMPLATE: &str = "till_template";

/// When the schema was made: when the tests with a clock of their own begin.
const BEGINNING: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// What a test waits for is behaviour, and no disk: nothing of this outlives a power cut. Nothing runs by itself either, and
/// as many may connect as a whole suite's processes do.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=4GB",
    "checkpoint_timeout=1h",
    "autovacuum=off",
    "max_connections=600",
    "shared_buffers=128MB",
];

/// Runs the server until the tests have ended, by whatever way: then the other end of its input is closed. Arguments: the
/// folder, and the command.
const WATCH: &str = r#"folder="$1"; shift
"$@" </dev/null & server=$!
read -r _
kill -QUIT "$server"; wait "$server"
rm -rf "$folder""#;

/// Whether the tests keep their books on PostgreSQL: `TILL_TEST_DATABASE=postgres`.
pub fn is_chosen() -> bool {
    std::env::var("TILL_TEST_DATABASE").is_ok_and(|engine| engine == "postgres")
}

/// Whether it can be started on this machine.
pub fn is_installed() -> bool {
    programs().is_some()
}

/// The server, and what is in it.
pub struct Postgres {
    port: u16,
    password: String,
    made: Mutex<Made>,
    /// Its input is what the server's life hangs on.
    _watch: Child,
}

struct Made {
    /// Makes and drops databases.
    admin: Client,
    /// By what the tests call them: what they are called in the server.
    databases: BTreeMap<String, String>,
    /// Empty ones, with the schema.
    free: Vec<String>,
    number: usize,
}

/// Empties a database in which the schema is as it was, and says whether it is.
const EMPTY: &str = "
    SET session_replication_role = replica;
    DO $$ DECLARE found text; BEGIN
        FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version' LOOP
            EXECUTE format('DELETE FROM %I', found);
        END LOOP;
        FOR found IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
            PERFORM setval(format('%I', found)::regclass, 1, false);
        END LOOP;
        DELETE FROM schema_version WHERE version <> (SELECT MIN(version) FROM schema_version);
        UPDATE schema_version SET (checked_at, seen_at, confirmed_at) = (applied_at, NULL, NULL);
    END $$";

/// What changes with any change of the schema: a copy has the rows of its original's catalogue.
const SCHEMA_STATE: &str = "SELECT string_agg(state, ' ') FROM (
    SELECT COUNT(*) || ':' || SUM(xmin::text::bigint) AS state FROM pg_class UNION ALL
    SELECT COUNT(*) || ':' || SUM(xmin::text::bigint) FROM pg_attribute UNION ALL
    SELECT COUNT(*) || ':' || SUM(xmin::text::bigint) FROM pg_trigger UNION ALL
    SELECT COUNT(*) || ':' || SUM(xmin::text::bigint) FROM pg_constraint UNION ALL
    SELECT COUNT(*) || ':' || SUM(xmin::text::bigint) FROM pg_proc) AS states";

impl Postgres {
    /// The one of this process.
    pub fn get() -> &'static Postgres {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(Postgres::start)
    }

    fn start() -> Postgres {
        let programs = programs().expect("no PostgreSQL on this machine: apt install postgresql");
        // Not below the target directory: the server runs as a user who may have no way into it.
        let folder = std::env::temp_dir().join(format!("till-postgres-{}", std::process::id()));
        let _of_a_killed_run = fs::remove_dir_all(&folder);
        fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
        let password = till::id::secret("").unwrap();
        let secret = folder.join("password");
        fs::write(&secret, &password).unwrap();
        give_away(&folder);
        let data = folder.join("data");
        let mut init = as_its_user(&programs.join("initdb"));
        init.args(["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=md5"]);
        init.arg("--username=postgres").arg("--pwfile").arg(&secret).arg("-D").arg(&data);
        run(&mut init).unwrap_or_else(|why| panic!("initdb: {why}"));
        fs::remove_file(secret).unwrap();

        let port = free_port();
        let mut server = as_its_user(&programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        server.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        let log = folder.join("log");
        let watch = watch(&folder, &server, &log);
        let admin = |database: &str| {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            eventually("PostgreSQL", || {
                assert!(!said().contains("database system is shut down"), "{}", said());
                config(port, &password, "postgres", database).connect(NoTls).ok()
            })
        };
        let mut admin = admin("postgres");
        admin.batch_execute(&format!("CREATE ROLE till LOGIN CREATEDB PASSWORD '{password}'")).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {TEMPLATE} OWNER till")).unwrap();
        let made = Mutex::new(Made { admin, databases: BTreeMap::new(), free: vec![], number: 0 });
        Postgres { port, password, made, _watch: watch }
    }

    /// What `SPRITE_DATABASE` says of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://till:{}@127.0.0.1:{}/{database}?sslmode=disable", self.password, self.port)
    }

    /// The same of one that has till's schema and nothing else. Made when it is asked for first.
    pub fn database(&self, name: &str) -> String {
        self.fresh_state();
        let mut made = self.made();
        let known = made.databases.get(name).cloned();
        let database = known.unwrap_or_else(|| match made.free.pop() {
            Some(free) => free,
            None => made.add(&format!("TEMPLATE {TEMPLATE} STRATEGY file_copy")),
        });
        made.databases.insert(name.to_owned(), database.clone());
        self.url(&database)
    }

    /// The same of one with nothing in it.
    pub fn empty_database(&self, name: &str) -> String {
        let mut made = self.made();
        let database = made.add("");
        let before = made.databases.insert(name.to_owned(), database.clone());
        assert_eq!(before, None, "{name} is there already");
        self.url(&database)
    }

    /// The state of the schema in a new database. Makes the one that the others are copied from.
    fn fresh_state(&self) -> &'static str {
        static STATE: OnceLock<String> = OnceLock::new();
        STATE.get_or_init(|| {
            make_schema(&self.url(TEMPLATE));
            self.connect("postgres", TEMPLATE).query_one(SCHEMA_STATE, &[]).unwrap().get(0)
        })
    }

    /// A connection past till: as `till`, who owns the databases, or as `postgres`, who may do everything.
    pub fn connect(&self, role: &str, database: &str) -> Client {
        self.try_to_connect(role, database).unwrap()
    }

    fn try_to_connect(&self, role: &str, database: &str) -> Result<Client, postgres::Error> {
        config(self.port, &self.password, role, database).connect(NoTls)
    }

    /// Copies a database into an empty one as its owner does it: by `pg_dump` in this format, and what brings that back.
    pub fn copy(&self, from: &str, to: &str, format: &str) {
        let programs = programs().unwrap();
        let (port, dump) = (self.port.to_string(), std::env::temp_dir().join(format!("{to}.{format}")));
        let tool = |program: &str, database: &str| {
            let mut command = Command::new(programs.join(program));
            command.args(["-h", "127.0.0.1", "-p", &port, "-U", "till", "-d", database]);
            command.env("PGPASSWORD", &self.password);
            command
        };
        run(tool("pg_dump", from).arg("--format").arg(format).arg("--file").arg(&dump)).unwrap();
        match format {
            "plain" => run(tool("psql", to).args(["-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&dump)).unwrap(),
            _ => run(tool("pg_restore", to).arg("--exit-on-error").arg(&dump)).unwrap(),
        };
        fs::remove_file(dump).unwrap();
    }

    /// Takes back the databases whose name begins so, whoever is connected to them.
    pub fn take_back(&self, prefix: &str) {
        let names: Vec<String> =
            self.made().databases.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        for name in names {
            let Some(database) = self.made().databases.remove(&name) else { continue };
            // A test that failed may have left anything.
            let is_good = !std::thread::panicking() && self.empty(&database).is_some_and(|is_good| is_good);
            let mut made = self.made();
            match is_good {
                true => made.free.push(database),
                false => drop(made.admin.batch_execute(&format!("DROP DATABASE {database} WITH (FORCE)"))),
            }
        }
    }

    /// Whether it is empty now, and as good as a new one.
    fn empty(&self, database: &str) -> Option<bool> {
        const LEAVE: &str = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let mut client = self.try_to_connect("postgres", database).ok()?;
        client.batch_execute(LEAVE).ok()?;
        let state: String = client.query_one(SCHEMA_STATE, &[]).ok()?.try_get(0).ok()?;
        Some(state == self.fresh_state() && client.batch_execute(EMPTY).is_ok())
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the database in an address.
pub fn name_in(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1.split('?').next().unwrap()
}

/// Has till make its schema in an empty database.
fn make_schema(url: &str) {
    let config = load(&Sources::from_variables([("SPRITE_DATABASE", url)]), Need::Nothing).unwrap().config;
    drop(App::open(config, Clock::manual(BEGINNING)).unwrap());
}

impl Made {
    /// Makes a database, and says its name.
    fn add(&mut self, options: &str) -> String {
        self.number += 1;
        let name = format!("till_{}", self.number);
        self.admin.batch_execute(&format!("CREATE DATABASE {name} OWNER till {options}")).unwrap();
        name
    }
}

fn config(port: u16, password: &str, user: &str, database: &str) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user(user).password(password).dbname(database).ssl_mode(SslMode::Disable);
    config
}

/// The folder of Debian's server programs, the newest.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    programs.filter(|folder| folder.join("initdb").exists()).max()
}

/// PostgreSQL does not run as root, but as the user that Debian's package makes; anybody else runs it as themselves.
fn as_its_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    }
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("LC_ALL", "C.UTF-8");
    command.current_dir("/");
    command
}

fn give_away(folder: &Path) {
    if is_root() {
        run(Command::new("chown").arg("-R").arg("postgres:postgres").arg(folder)).unwrap();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Runs the server, in a process group of its own: what ends the tests does not end the one who ends the server.
fn watch(folder: &Path, server: &Command, log: &Path) -> Child {
    let log = fs::File::create(log).unwrap();
    let mut watch = Command::new("sh");
    watch.args(["-c", WATCH, "sh"]).arg(folder).arg(server.get_program()).args(server.get_args());
    watch.env("LC_ALL", "C.UTF-8").current_dir("/").process_group(0);
    watch.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
    watch.spawn().unwrap()
}
