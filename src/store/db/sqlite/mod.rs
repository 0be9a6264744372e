//! SQLite, and the only folder that names its driver. Connections are opened for durability: write-ahead log,
//! `synchronous=FULL` (a commit is on the disk when it returns, "Pragma statements supported by SQLite"), foreign keys on.

mod apart;
mod catalogue;
mod free_pages;
mod opened_files;
mod readers;
mod rows;
mod statement;
mod writer;

use std::cell::Cell;
use std::ffi::c_int;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::OpenFlags;
use rusqlite::hooks::{Action, Wal};

use super::changes::ChangeLog;
use super::fault::DbResult;
use super::figures::{FigureChange, FigureJournal};
use super::time_record::TimeRecord;
use super::tx::Tx;
use super::value::{Param, Row};
use crate::clock::{Clock, Deadline};
use crate::error::Fault;
use crate::private_file::create_new_for_owner;

use statement::{BUSY, fault, is_busy};

pub(in crate::store) use catalogue::{SchemaObject, damage, dangling, objects, objects_of};
pub(in crate::store) use free_pages::{free_pages, give_back};
pub(in crate::store) use opened_files::OpenedFiles;
pub(in crate::store) use readers::{Reader, Readers};
pub(in crate::store) use rows::{FileRows, table_parts};
pub(in crate::store) use writer::FileWriter;

/// The pause between two attempts at something for which SQLite does not wait itself.
const PAUSE: Duration = Duration::from_millis(5);
/// How much of the file the writer may cache, in KiB (to SQLite a negative number means KiB): many times the inner pages
/// of every tree. Not more, because nearly every commit searches the whole cache for pages beyond the file's end, and the
/// system caches the file as well.
const CACHE_KIB: i64 = -8_192;
/// How large the log's file stays when the log restarts, in bytes: as large as it is under load.
const LOG_BYTES_KEPT: i64 = 192 << 20;
/// Marks the file as ours ("till"): for the tool `file`, and for a program that opens it by mistake.
const APPLICATION_ID: i32 = 0x7469_6c6c;

/// From this length on each commit moves the log itself: 512 MiB of pages. The checkpoint thread comes first; this is for when
/// it has ended.
const LOG_PAGES_LIMIT: c_int = 128_000;

thread_local! {
    static LOG_PAGES: Cell<u32> = const { Cell::new(0) };
}

/// How long the log was after this thread's last commit, in pages.
pub(super) fn log_pages() -> u32 {
    LOG_PAGES.get()
}

/// SQLite calls this after each commit.
fn note_log_pages(log: &Wal, pages: c_int) -> rusqlite::Result<()> {
    LOG_PAGES.set(u32::try_from(pages).unwrap_or(0));
    if pages < LOG_PAGES_LIMIT { Ok(()) } else { log.checkpoint() }
}

/// A connection that writes. The writer shares its own with a [`DataVersionProbe`], so it is held for one statement at a
/// time.
pub(in crate::store) struct Connection {
    sqlite: Arc<Mutex<rusqlite::Connection>>,
    changes: Option<Arc<ChangeLog>>,
    time: TimeRecord,
    /// What the transaction under way adds to the figures.
    figures: FigureJournal,
}

impl Connection {
    /// Opens the file, or makes an empty one. Changes nothing in it yet: it may be another program's.
    pub(in crate::store) fn open(path: &Path) -> DbResult<Connection> {
        let path = &as_path(path);
        make_private(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let cannot = |cause| fault("SQLite cannot open it", cause);
        let connection = rusqlite::Connection::open_with_flags(path, flags).map_err(cannot)?;
        // A file that cannot be opened for writing SQLite opens for reading, without an error.
        if connection.is_readonly("main").map_err(cannot)? {
            let needed = "till has to write to it, and to make files beside it, also for commands that only look";
            return Err(Fault::bare(format!("it is read-only for this user, or on this disk: {needed}")));
        }
        let set_up = || -> rusqlite::Result<()> {
            connection.busy_timeout(BUSY)?;
            connection.set_prepared_statement_cache_capacity(128);
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            // What was erased or replaced is overwritten in the file.
            connection.pragma_update(None, "secure_delete", true)?;
            connection.wal_hook(Some(note_log_pages));
            // What somebody who read for long has let it grow to is given back when it restarts.
            connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))?;
            connection.pragma_update(None, "cache_size", CACHE_KIB)
        };
        set_up().map_err(cannot)?;
        Ok(Connection {
            sqlite: Arc::new(Mutex::new(connection)),
            changes: None,
            time: TimeRecord::default(),
            figures: FigureJournal::default(),
        })
    }

    /// From now on each row that is written here ("Data Change Notification Callbacks"), each transaction, and what
    /// others did are reported to `changes`. SQLite does not report tables without row numbers (see [`Tx::mark_changed`]),
    /// a `DELETE` without `WHERE`, nor what a `REPLACE` displaces; till does neither.
    pub(in crate::store) fn report_to(&mut self, changes: &Arc<ChangeLog>) -> DbResult<DataVersionProbe> {
        let log = Arc::clone(changes);
        let hook = move |_: Action, _: &str, table: &str, row: i64| log.row(table, row);
        self.sqlite().update_hook(Some(hook)).map_err(|cause| fault("changed rows cannot be watched", cause))?;
        self.changes = Some(Arc::clone(changes));
        Ok(DataVersionProbe { sqlite: Arc::clone(&self.sqlite), changes: Arc::clone(changes) })
    }

    /// Transactions ask this clock whether the time is plausible.
    pub(in crate::store) fn keep_time_by(&mut self, clock: Clock) {
        self.time.keep_by(clock);
    }

    /// The clock of the transactions, and when one of them last recorded the time.
    pub(super) fn time(&mut self) -> &mut TimeRecord {
        &mut self.time
    }

    /// What the transaction under way adds to the figures.
    pub(super) fn figures(&mut self) -> &mut FigureJournal {
        &mut self.figures
    }

    fn sqlite(&self) -> MutexGuard<'_, rusqlite::Connection> {
        self.sqlite.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another program has put its mark on the file.
    pub(super) fn is_marked_by_another(&self) -> DbResult<bool> {
        self.mark().map(|mark| mark != 0 && mark != APPLICATION_ID)
    }

    /// Makes the file ours: our mark, and the write-ahead log. Waits for others that open it at the same moment, because
    /// SQLite does not wait itself when it changes the mode of the log.
    pub(super) fn mark_as_ours(&self) -> DbResult<()> {
        let patience = Deadline::after(BUSY);
        loop {
            match self.try_to_mark() {
                Err(fault) if fault.is_retryable() && !patience.left().is_zero() => std::thread::sleep(PAUSE),
                done => return done,
            }
        }
    }

    fn try_to_mark(&self) -> DbResult<()> {
        let cannot = |cause| fault("it cannot be made ready", cause);
        if self.mark()? != APPLICATION_ID {
            // Of effect in a file without a page alone, so before the first one ("Pragma statements supported by SQLite").
            self.sqlite().pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(cannot)?;
            self.sqlite().pragma_update(None, "application_id", APPLICATION_ID).map_err(cannot)?;
        }
        let mode: String =
            self.sqlite().pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(cannot)?;
        if mode.eq_ignore_ascii_case("wal") {
            return Ok(());
        }
        // On a network's file system, for example: processes share no memory there.
        Err(Fault::bare(format!("the database cannot have a write-ahead log where it lies (it stays in {mode} mode)")))
    }

    fn mark(&self) -> DbResult<i32> {
        let mark = self.sqlite().pragma_query_value(None, "application_id", |row| row.get(0));
        mark.map_err(|cause| fault("it cannot be read", cause))
    }

    /// Begins a write transaction. Waits for another process that writes, but holds the connection only for each attempt,
    /// so that commits of others can be noticed meanwhile.
    pub(super) fn begin(&self) -> DbResult<()> {
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
            // What others committed is noticed before the count says that nobody else can commit.
            poll_data_version(&sqlite, changes);
            changes.begun();
        }
        Ok(())
    }

    pub(super) fn commit(&self) -> DbResult<()> {
        let committed = self.run("COMMIT");
        self.mark_ended();
        committed
    }

    /// Ends the transaction, if there still is one, and keeps nothing of it.
    pub(super) fn rollback(&self) {
        if self.is_open()
            && let Err(fault) = self.run("ROLLBACK")
        {
            tracing::error!(event = "rollback_failed", fault = %fault);
        }
        self.mark_ended();
    }

    /// Records that the transaction has ended, if it has.
    fn mark_ended(&self) {
        if let Some(changes) = self.changes.as_ref().filter(|_| !self.is_open()) {
            changes.ended();
        }
    }

    pub(super) fn savepoint(&self) -> DbResult<()> {
        self.run("SAVEPOINT job")
    }

    pub(super) fn keep(&self) -> DbResult<()> {
        self.run("RELEASE job")
    }

    pub(super) fn undo(&self) -> DbResult<()> {
        self.run("ROLLBACK TO job")?;
        self.run("RELEASE job")
    }

    /// Rows changed since the connection was opened, undone changes included: shows whether a job wrote anything.
    pub(super) fn rows_changed(&self) -> u64 {
        self.sqlite().total_changes()
    }

    /// Whether a transaction is under way. SQLite ends it by itself on a full disk or an I/O error.
    pub(super) fn is_open(&self) -> bool {
        !self.sqlite().is_autocommit()
    }

    /// Sets whether references between tables are enforced at each statement. No effect inside a transaction.
    pub(super) fn enforce_references(&self, on: bool) -> DbResult<()> {
        self.sqlite().pragma_update(None, "foreign_keys", on).map_err(|cause| fault("cannot set foreign_keys", cause))
    }

    /// Sets whether what a statement needs on the side, such as the original pages, lies in files and not in memory. No
    /// effect inside a transaction.
    pub(super) fn temp_on_disk(&self, on: bool) -> DbResult<()> {
        let place = if on { "FILE" } else { "DEFAULT" };
        self.sqlite().pragma_update(None, "temp_store", place).map_err(|cause| fault("cannot set temp_store", cause))
    }

    /// Checks that no row refers to a row that does not exist.
    pub(super) fn check_references(&self) -> DbResult<()> {
        let cannot = |cause| fault("the references between tables cannot be checked", cause);
        let sqlite = self.sqlite();
        let mut check = sqlite.prepare("PRAGMA foreign_key_check").map_err(cannot)?;
        let table: Option<String> =
            check.query_map([], |row| row.get(0)).map_err(cannot)?.next().transpose().map_err(cannot)?;
        table.map_or(Ok(()), |table| Err(Fault::bare(format!("a row of {table} refers to a row that does not exist"))))
    }

    /// The schema text, or a migration: many statements at once.
    pub(super) fn run_script(&self, script: &str) -> DbResult<()> {
        self.sqlite().execute_batch(script).map_err(|cause| fault("cannot change the schema", cause))
    }

    /// Moves what it can of the log into the database. No commit waits for it. Answers how many pages of the log are there now;
    /// `None`, and a line in the log, if it failed.
    pub(super) fn checkpoint(&self) -> Option<u32> {
        let moved = self.sqlite().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get("checkpointed"));
        moved.inspect_err(|cause| tracing::warn!(event = "checkpoint_failed", cause = %cause)).ok()
    }

    /// Moves the whole log into the database and empties it, unless somebody reads or writes at this moment.
    pub(super) fn truncate_wal_if_unused(&self) {
        let sqlite = self.sqlite();
        let truncate = || {
            sqlite.busy_timeout(Duration::ZERO)?;
            sqlite.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        let truncated = truncate();
        let restored = sqlite.busy_timeout(BUSY);
        if let Err(cause) = truncated.and(restored) {
            tracing::debug!(event = "log_not_emptied", cause = %cause);
        }
    }

    /// Moves the whole log into the database and empties it: for the writer's end.
    pub(super) fn truncate_wal(&self) {
        if let Err(cause) = self.sqlite().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(event = "checkpoint_failed", cause = %cause);
        }
    }

    fn run(&self, sql: &'static str) -> DbResult<()> {
        self.sqlite()
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_| ())
            .map_err(|cause| fault(sql, cause))
    }
}

impl Tx for Connection {
    fn execute(&mut self, sql: &'static str, params: &[&dyn Param]) -> DbResult<usize> {
        statement::execute(&self.sqlite(), sql, params)
    }

    fn query(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        statement::query(&self.sqlite(), sql, params, visit)
    }

    fn mark_changed(&mut self, account: i64) {
        if let Some(changes) = &self.changes {
            changes.account(account);
        }
    }

    fn add_to_figure(&mut self, change: FigureChange) {
        self.figures.note(change);
    }

    fn is_time_plausible(&self) -> bool {
        self.time.is_plausible()
    }
}

/// Polls for other processes' commits on the writer's connection, while the writer does not use it.
pub(in crate::store) struct DataVersionProbe {
    sqlite: Arc<Mutex<rusqlite::Connection>>,
    changes: Arc<ChangeLog>,
}

impl DataVersionProbe {
    /// Notices what others have committed; `false` when the connection is held.
    pub(super) fn poll_data_version(&self) -> bool {
        let sqlite = match self.sqlite.try_lock() {
            Ok(sqlite) => sqlite,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        poll_data_version(&sqlite, &self.changes);
        true
    }
}

/// On a connection that writes itself, this number changes only when somebody else has committed.
fn poll_data_version(sqlite: &rusqlite::Connection, changes: &ChangeLog) {
    let poll = || sqlite.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0));
    changes.data_version(poll().inspect_err(|cause| tracing::debug!(event = "look_failed", cause = %cause)).ok());
}

/// A path that SQLite does not take for a URI: it does if the name begins with `file:` ("Uniform Resource Identifiers").
fn as_path(path: &Path) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().starts_with(b"file:") { Path::new(".").join(path) } else { path.to_owned() }
}

/// Makes the file, readable by its owner alone, if there is none: it holds e-mail addresses, and SQLite gives its log and
/// its index the same mode. An existing file is not touched: closing a handle on it would drop the locks that SQLite may
/// hold on it in this process ("How To Corrupt An SQLite Database File").
fn make_private(path: &Path) -> DbResult<()> {
    match create_new_for_owner(path) {
        Ok(_made) => Ok(()),
        Err(_) if path.is_dir() => Err(Fault::bare("it is a folder: the path of a file was expected")),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(Fault::new("it cannot be made", cause)),
    }
}
