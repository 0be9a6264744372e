//! SQLite, and the only file that names its driver. Connections are opened for durability: write-ahead log,
//! `synchronous=FULL` (a commit is on the disk when it returns, "Pragma statements supported by SQLite"), foreign keys on.

mod readers;

use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::hooks::Action;
use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, OpenFlags, ToSql};

use super::value::Cell;
use super::watch::ChangeLog;
use super::{Row, Tx, Value};
use crate::clock::Deadline;
use crate::error::Fault;

pub(super) use readers::Readers;

type Outcome<T> = std::result::Result<T, Fault>;

/// How long a statement waits for another process that holds the database.
const BUSY: Duration = Duration::from_secs(2);
/// Between two tries of what SQLite does not wait for.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a reader waits for a free connection.
const READER_WAIT: Duration = Duration::from_secs(2);
const READERS: u32 = 4;
/// What the writer may keep of the file in memory, in KiB (negative means KiB to SQLite): the inner pages of every tree,
/// many times over. Not more, for nearly every commit searches all that is kept for pages beyond the file's end, and what
/// is not kept the system's own cache has.
const WRITER_CACHE_KIB: i64 = -16_384;
/// The same for each reader.
const READER_CACHE_KIB: i64 = -16_384;
/// Marks the file as ours ("till"), for `file` and for whoever opens it by mistake.
const APPLICATION_ID: i32 = 0x7469_6c6c;

/// A connection that writes. The writer's is shared with its [`DataVersionProbe`], so it is held for a statement at a time.
pub(super) struct Connection {
    sqlite: Arc<Mutex<rusqlite::Connection>>,
    changes: Option<Arc<ChangeLog>>,
}

impl Connection {
    /// Opens the file, or makes an empty one. Nothing in it is changed yet: it may be another program's.
    pub(super) fn open(path: &Path) -> Outcome<Connection> {
        make_private(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let cannot = |cause| fault("SQLite cannot open it", cause);
        let connection = rusqlite::Connection::open_with_flags(path, flags).map_err(cannot)?;
        // What cannot be opened to write, SQLite opens to read, without a word.
        if connection.is_readonly("main").map_err(cannot)? {
            let needed = "till has to write to it, and to make files beside it, also for commands that only look";
            return Err(Fault::bare(format!("it is read-only for this user, or on this disk: {needed}")));
        }
        let set_up = || -> rusqlite::Result<()> {
            connection.busy_timeout(BUSY)?;
            connection.set_prepared_statement_cache_capacity(128);
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            // The checkpoint thread is sooner; this bounds the log (512 MiB) should that thread have ended.
            connection.pragma_update(None, "wal_autocheckpoint", 128_000)?;
            connection.pragma_update(None, "cache_size", WRITER_CACHE_KIB)
        };
        set_up().map_err(cannot)?;
        Ok(Connection { sqlite: Arc::new(Mutex::new(connection)), changes: None })
    }

    /// From now on `changes` hears of each row that is written here ("Data Change Notification Callbacks"), of each
    /// transaction, and of what others did. SQLite does not tell of tables without row numbers (see [`Tx::mark_changed`]), of a
    /// `DELETE` without `WHERE`, nor of what a `REPLACE` displaces; of these there are none.
    pub(super) fn report_to(&mut self, changes: &Arc<ChangeLog>) -> Outcome<DataVersionProbe> {
        let told = Arc::clone(changes);
        let hook = move |_: Action, _: &str, table: &str, row: i64| told.row(table, row);
        self.sqlite().update_hook(Some(hook)).map_err(|cause| fault("cannot hear of changed rows", cause))?;
        self.changes = Some(Arc::clone(changes));
        Ok(DataVersionProbe { sqlite: Arc::clone(&self.sqlite), changes: Arc::clone(changes) })
    }

    fn sqlite(&self) -> MutexGuard<'_, rusqlite::Connection> {
        self.sqlite.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another program has put its mark on the file.
    pub(super) fn is_marked_by_another(&self) -> Outcome<bool> {
        self.mark().map(|mark| mark != 0 && mark != APPLICATION_ID)
    }

    /// Makes the file ours: our mark, and the write-ahead log. Whoever else opens it at the same moment is waited for: to
    /// change the log's mode SQLite does not wait itself.
    pub(super) fn claim(&self) -> Outcome<()> {
        let patience = Deadline::after(BUSY);
        loop {
            match self.try_to_claim() {
                Err(fault) if fault.is_retryable() && !patience.left().is_zero() => std::thread::sleep(PAUSE),
                done => return done,
            }
        }
    }

    fn try_to_claim(&self) -> Outcome<()> {
        let cannot = |cause| fault("it cannot be made ready", cause);
        if self.mark()? != APPLICATION_ID {
            self.sqlite().pragma_update(None, "application_id", APPLICATION_ID).map_err(cannot)?;
        }
        let mode: String =
            self.sqlite().pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(cannot)?;
        if mode.eq_ignore_ascii_case("wal") {
            return Ok(());
        }
        // As on a network's file system, which has no memory that processes share.
        Err(Fault::bare(format!("the database cannot have a write-ahead log where it lies (it stays in {mode} mode)")))
    }

    fn mark(&self) -> Outcome<i32> {
        let mark = self.sqlite().pragma_query_value(None, "application_id", |row| row.get(0));
        mark.map_err(|cause| fault("it cannot be read", cause))
    }

    /// Begins to write. Waits for whoever writes already, but holds the connection for each try only: while it waits,
    /// the others' commits are to be noticed.
    pub(super) fn begin(&self) -> Outcome<()> {
        let patience = Deadline::after(BUSY);
        loop {
            match self.try_to_begin() {
                Err(cause) if is_busy(&cause) && !patience.left().is_zero() => std::thread::sleep(PAUSE),
                done => return done.map_err(|cause| fault("BEGIN IMMEDIATE", cause)),
            }
        }
    }

    fn try_to_begin(&self) -> rusqlite::Result<()> {
        let sqlite = self.sqlite();
        sqlite.busy_timeout(Duration::ZERO)?;
        let begun = sqlite.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
        sqlite.busy_timeout(BUSY)?;
        begun?;
        if let Some(changes) = &self.changes {
            // Whatever others committed is noticed before the count says that nobody else can.
            look_for_others(&sqlite, changes);
            changes.begun();
        }
        Ok(())
    }

    pub(super) fn commit(&self) -> Outcome<()> {
        let committed = self.run("COMMIT");
        self.settle();
        committed
    }

    /// Ends the transaction, if there still is one, without a trace.
    pub(super) fn rollback(&self) {
        if self.is_open()
            && let Err(fault) = self.run("ROLLBACK")
        {
            tracing::error!(event = "rollback_failed", fault = %fault);
        }
        self.settle();
    }

    /// Counts the transaction as ended, if it is.
    fn settle(&self) {
        if let Some(changes) = self.changes.as_ref().filter(|_| !self.is_open()) {
            changes.ended();
        }
    }

    pub(super) fn savepoint(&self) -> Outcome<()> {
        self.run("SAVEPOINT job")
    }

    pub(super) fn keep(&self) -> Outcome<()> {
        self.run("RELEASE job")
    }

    pub(super) fn undo(&self) -> Outcome<()> {
        self.run("ROLLBACK TO job")?;
        self.run("RELEASE job")
    }

    /// Rows changed since the connection was opened, undone changes among them: tells whether a job wrote anything.
    pub(super) fn rows_changed(&self) -> u64 {
        self.sqlite().total_changes()
    }

    /// Whether a transaction is under way. A full disk or an I/O error ends it by itself.
    pub(super) fn is_open(&self) -> bool {
        !self.sqlite().is_autocommit()
    }

    /// Whether references between tables are enforced at each statement. Has no effect inside a transaction.
    pub(super) fn enforce_references(&self, on: bool) -> Outcome<()> {
        self.sqlite().pragma_update(None, "foreign_keys", on).map_err(|cause| fault("cannot set foreign_keys", cause))
    }

    /// Whether what a statement needs on the side, such as the pages as they were, lies in files and not in memory. Has no
    /// effect inside a transaction.
    pub(super) fn spill(&self, on: bool) -> Outcome<()> {
        let place = if on { "FILE" } else { "DEFAULT" };
        self.sqlite().pragma_update(None, "temp_store", place).map_err(|cause| fault("cannot set temp_store", cause))
    }

    /// That no row refers to one that is not there.
    pub(super) fn check_references(&self) -> Outcome<()> {
        let cannot = |cause| fault("the references between tables cannot be checked", cause);
        let sqlite = self.sqlite();
        let mut check = sqlite.prepare("PRAGMA foreign_key_check").map_err(cannot)?;
        let table: Option<String> =
            check.query_map([], |row| row.get(0)).map_err(cannot)?.next().transpose().map_err(cannot)?;
        table.map_or(Ok(()), |table| Err(Fault::bare(format!("a row of {table} refers to one that is not there"))))
    }

    /// The schema text, or a migration: many statements at once.
    pub(super) fn run_script(&self, script: &str) -> Outcome<()> {
        self.sqlite().execute_batch(script).map_err(|cause| fault("cannot change the schema", cause))
    }

    /// Moves what it can of the log into the database, without holding anybody up.
    pub(super) fn checkpoint(&self) {
        if let Err(cause) = self.sqlite().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(event = "checkpoint_failed", cause = %cause);
        }
    }

    /// Moves the log into the database: called when the writer has nothing left to do.
    pub(super) fn tidy(&self) {
        if let Err(cause) = self.sqlite().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(event = "checkpoint_failed", cause = %cause);
        }
    }

    fn run(&self, sql: &'static str) -> Outcome<()> {
        self.sqlite()
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_| ())
            .map_err(|cause| fault(sql, cause))
    }
}

impl Tx for Connection {
    fn execute(&mut self, sql: &'static str, params: &[Value<'_>]) -> Outcome<usize> {
        execute(&self.sqlite(), sql, params)
    }

    fn query(&mut self, sql: &'static str, params: &[Value<'_>]) -> Outcome<Vec<Row>> {
        query(&self.sqlite(), sql, params)
    }

    fn mark_changed(&mut self, account: i64) {
        if let Some(changes) = &self.changes {
            changes.account(account);
        }
    }
}

/// Looks for other processes' commits on the writer's connection, while the writer does not need it.
pub(super) struct DataVersionProbe {
    sqlite: Arc<Mutex<rusqlite::Connection>>,
    changes: Arc<ChangeLog>,
}

impl DataVersionProbe {
    /// Notices what others have committed; `false` when the connection is held.
    pub(super) fn look(&self) -> bool {
        let sqlite = match self.sqlite.try_lock() {
            Ok(sqlite) => sqlite,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        look_for_others(&sqlite, &self.changes);
        true
    }
}

/// On a connection that writes itself, this number is another one only after somebody else committed.
fn look_for_others(sqlite: &rusqlite::Connection, changes: &ChangeLog) {
    let look = || sqlite.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0));
    changes.version(look().inspect_err(|cause| tracing::debug!(event = "look_failed", cause = %cause)).ok());
}

/// Makes the file, readable by its owner alone, where there is none: it holds e-mail addresses, and SQLite gives its log
/// and its index the same mode. A file that is there is not touched: closing a handle on it would drop the locks that
/// SQLite may hold on it in this process ("How To Corrupt An SQLite Database File").
fn make_private(path: &Path) -> Outcome<()> {
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_made) => Ok(()),
        Err(_) if path.is_dir() => Err(Fault::bare("it is a folder: the path of a file was expected")),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(Fault::new("it cannot be made", cause)),
    }
}

pub(super) struct Snapshot<'a>(pub(super) &'a rusqlite::Connection);

impl Tx for Snapshot<'_> {
    fn execute(&mut self, sql: &'static str, _params: &[Value<'_>]) -> Outcome<usize> {
        Err(Fault::bare(format!("a write on a read-only connection: {sql}")))
    }

    fn query(&mut self, sql: &'static str, params: &[Value<'_>]) -> Outcome<Vec<Row>> {
        query(self.0, sql, params)
    }

    fn mark_changed(&mut self, _account: i64) {}
}

fn execute(connection: &rusqlite::Connection, sql: &'static str, params: &[Value<'_>]) -> Outcome<usize> {
    let mut statement = connection.prepare_cached(sql).map_err(|cause| fault(sql, cause))?;
    bind(&mut statement, sql, params)?;
    statement.raw_execute().map_err(|cause| fault(sql, cause))
}

fn query(connection: &rusqlite::Connection, sql: &'static str, params: &[Value<'_>]) -> Outcome<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql).map_err(|cause| fault(sql, cause))?;
    bind(&mut statement, sql, params)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(|cause| fault(sql, cause))? {
        let cells = (0..columns).map(|column| row.get_ref(column).map_err(|cause| fault(sql, cause)).and_then(cell));
        found.push(Row(cells.collect::<Outcome<_>>()?));
    }
    Ok(found)
}

/// Binds by the number in the parameter's name: to SQLite `$2` is a name, numbered by first appearance, so binding by
/// position would swap `SET balance = balance - $2 WHERE id = $1` without an error.
fn bind(statement: &mut rusqlite::Statement<'_>, sql: &str, params: &[Value<'_>]) -> Outcome<()> {
    let mut used = 0usize;
    for place in 1..=statement.parameter_count() {
        let number = statement.parameter_name(place).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| params.get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| Fault::bare(format!("parameter {place} has no value: {sql}")))?;
        statement.raw_bind_parameter(place, Bound(*value)).map_err(|cause| fault(sql, cause))?;
        used += 1;
    }
    if used == params.len() {
        Ok(())
    } else {
        Err(Fault::bare(format!("{} values for {used} parameters: {sql}", params.len())))
    }
}

struct Bound<'a>(Value<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn cell(value: ValueRef<'_>) -> Outcome<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => {
            let text =
                std::str::from_utf8(text).map_err(|cause| Fault::new("a text in the database is not UTF-8", cause));
            Cell::Text(text?.to_owned())
        }
        ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
        ValueRef::Real(_) => return Err(Fault::bare("a number in the database is not whole")),
    })
}

fn is_busy(cause: &rusqlite::Error) -> bool {
    cause.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// A failed statement. What another process, a full disk or a read-only mount causes may heal by itself.
pub(super) fn fault(what: &str, cause: rusqlite::Error) -> Fault {
    let heals = matches!(
        cause.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
        )
    );
    let fault = Fault::new(what, cause);
    if heals { fault.retryable() } else { fault }
}
