//! All SQL. A [`Store`] runs closures over a small [`Tx`]: `read` on pooled read-only connections, `write` on one writer
//! thread that commits what waits together. `db/` is the database itself; every other file here holds one family of
//! tables, written once for any engine behind [`Tx`]. `schema.sql` says what the tables are.

#![allow(missing_docs, reason = "a field or variant whose name says everything has no comment; functions have one")]

pub mod access;
pub mod allotments;
pub mod anchors;
pub mod audit;
pub mod backups;
pub mod codes;
pub mod comparisons;
pub mod confirmations;
pub mod cursors;
pub mod customers;
mod db;
pub mod directory;
pub mod disk;
pub mod entries;
pub mod erasure;
pub mod figures;
mod go_live;
pub mod holds;
pub mod identities;
pub mod inbox;
pub mod integrity;
pub mod lot_records;
pub mod lots;
pub mod mails;
mod money_moves;
pub mod money_records;
pub mod open_events;
pub mod open_invoices;
pub mod operators;
pub mod orders;
pub mod outbox;
pub mod passkeys;
pub mod payment_records;
pub mod payments;
pub mod prices;
pub mod proof;
pub mod receipts;
pub mod scheduled_changes;
pub mod second_factors;
pub mod sessions;
pub mod stripe_account;
pub mod subscriptions;
mod unit_moves;
pub mod users;
pub mod webhook_endpoints;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Fault, Result};
use crate::private_file::missing_right;

use db::{ChangeLog, Checkpoints, Connection, DiskReads, Freshness, ReadAhead, Readers, Writer, unavailable};

pub use db::{
    AmountsByDay, CacheKey, Columns, DbResult, Figure, FigureChange, Lock, Param, ReadVersion, Row, Tx, Value,
    WriterFigures,
};

/// The open database. Cheap to share behind an `Arc`. When the last one is dropped, what is queued is written and the
/// write-ahead log is moved into the file.
pub struct Store {
    // Closed in this order: only a connection that may write can remove the log, so it goes last.
    readers: Readers,
    freshness: Freshness,
    // Its threads have the way to the writer, which ends after them.
    read_ahead: ReadAhead,
    writer: Writer,
    path: PathBuf,
    clock: Clock,
}

/// Records a time as right, because the operator says so.
pub fn confirm_time(tx: &mut dyn Tx, time: Timestamp) -> Result<()> {
    db::record_confirmed(tx, time)
}

impl Store {
    /// Opens (or makes) the database at `path` and brings its schema up to date in one transaction. A schema newer
    /// than this program's is refused.
    pub fn open(path: &Path, clock: &Clock) -> DbResult<Store> {
        let cannot = |cause: Fault| {
            let (heals, what) = (cause.is_retryable(), format!("the database {} cannot be used", path.display()));
            if let Some(right) = right_missing(path) {
                return Fault::bare(format!("{what}: {right}"));
            }
            let fault = Fault::new(what, cause);
            if heals { fault.retryable() } else { fault }
        };
        let mut connection = Connection::open(path).map_err(cannot)?;
        db::bring_up_to_date(&mut connection, clock.now()).map_err(cannot)?;
        let seen_at = db::seen_at(&mut connection);
        let clock = clock.judged(seen_at.map_err(|error| cannot(Fault::bare(error.to_string())))?);
        connection.keep_time_by(clock.clone());
        let readers = Readers::open(path).map_err(cannot)?;
        let changes = Arc::new(ChangeLog::new());
        let freshness = Freshness::start(connection.report_to(&changes).map_err(cannot)?, changes);
        let reads = Arc::<DiskReads>::default();
        let read_ahead = ReadAhead::new(path, Arc::clone(&reads));
        let writer = Writer::start(connection, Checkpoints::start(path)?, reads)?;
        Ok(Store { readers, freshness, read_ahead, writer, path: path.to_owned(), clock })
    }

    /// Runs `work` in a write transaction and returns once it is durable. `work` may run more than once, alone or in
    /// one transaction with others, so it must not call anything outside the database. When it fails, nothing of it is
    /// kept.
    pub fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        self.writer.write(work)
    }

    /// Runs `work` like [`Store::write`], without waiting: `then` gets the result once, on the writer thread after the
    /// commit. All other commits wait for `then`, so it should only pass the result on.
    pub fn write_then<T, F, A>(&self, work: F, then: A)
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
        A: FnOnce(Result<T>) + Send + 'static,
    {
        self.writer.submit(work, then);
    }

    /// Runs `work` like [`Store::write_then`]. While the database is read from the disk and not from memory, `read` runs before
    /// it, beside others: it should ask for the rows that `work` will need. Its result is not used.
    pub fn write_read_ahead<T, R, F, A>(&self, read: R, work: F, then: A)
    where
        T: Send + 'static,
        R: FnOnce(&mut dyn Tx) -> Result<()> + Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
        A: FnOnce(Result<T>) + Send + 'static,
    {
        let queue = self.writer.queue().filter(|_| self.read_ahead.is_needed()).cloned();
        let Some(queue) = queue else { return self.writer.submit(work, then) };
        let task = Box::new(move |reader: Option<&mut db::Reader>| {
            let _work_finds_out_itself = reader.map(|reader| reader.read_one(read));
            queue.submit(work, then);
        });
        self.read_ahead.run(task);
    }

    /// Runs `work` like [`Store::write`] and keeps nothing of it: the result says what it would do.
    pub fn dry_run<T, F>(&self, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        let (results, result) = std::sync::mpsc::channel();
        // An error is the way to undo everything that was done.
        let undone: Result<()> = self.writer.write(move |tx| {
            let _gone = results.send(work(tx)?);
            Err(Fault::bare("a dry run keeps nothing").into())
        });
        match (result.try_iter().last(), undone) {
            (Some(result), _) => Ok(result),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Fault::bare("a dry run was kept").into()),
        }
    }

    /// Runs `work` on a snapshot of the database.
    pub fn read<T>(&self, work: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
        let mut connection = self.readers.connection().map_err(unavailable)?;
        connection.snapshot(work)
    }

    /// Runs one indexed statement on this thread, if a connection is free: there is no transaction around it, so each
    /// statement sees a snapshot of its own. If no connection is free, `work` is handed back.
    pub fn read_one<T, F>(&self, work: F) -> std::result::Result<Result<T>, F>
    where
        F: FnOnce(&mut dyn Tx) -> Result<T>,
    {
        match self.readers.free_connection() {
            Some(mut connection) => Ok(connection.read_one(work)),
            None => Err(work),
        }
    }

    /// The version of what is read from now on. Give it to [`Store::is_current`] to learn whether the answer still holds.
    pub fn read_version(&self) -> ReadVersion {
        self.freshness.read_version()
    }

    /// Whether what was read of `key` at `version` still holds. Our own commits are known at once; those of another
    /// process about a millisecond later, provided that the caller has just asked for a [`Store::read_version`].
    pub fn is_current(&self, key: CacheKey, version: ReadVersion) -> bool {
        self.freshness.is_current(key, version)
    }

    /// Proves that the database takes writes and that its schema is this program's: for the readiness probe.
    pub fn check_writable(&self, clock: &Clock) -> Result<()> {
        let now = clock.now();
        self.write(move |tx| db::record_check(tx, now))
    }

    /// The clock that the database was opened with, judged by the last time that it was written.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Records the time, if it is plausible and was not recorded for ten minutes, although nothing else is written.
    pub fn record_time(&self) -> Result<()> {
        self.write(|_| Ok(()))
    }

    /// The last time that the operator confirmed, perhaps in another process.
    pub fn time_confirmed_at(&self) -> Result<Option<Timestamp>> {
        self.read(db::confirmed_at)
    }

    /// What the writer has done so far, for the metrics.
    pub fn figures(&self) -> &WriterFigures {
        self.writer.figures()
    }

    /// What is wrong with the file system that the database lies on, if anything is, and what to do.
    pub fn file_system_fault(&self) -> Option<String> {
        let kind = db::unsafe_kind(&self.path)?;
        Some(format!(
            "{} lies on {kind}, where locks are not to be relied on and a database is damaged sooner or later: move it to a \
             disk of this machine, and name that place in SPRITE_DATABASE",
            self.path.display()
        ))
    }

    /// Whether the file system that the database lies on has no room left.
    pub fn is_disk_full(&self) -> bool {
        db::is_full(&self.path)
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Which right to the database, or to the files of its log, this process lacks, if it lacks one.
fn right_missing(path: &Path) -> Option<String> {
    let beside = ["-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    std::iter::once(path).chain(beside.iter().map(PathBuf::as_path)).find_map(|file| missing_right(file, true))
}

/// The fault of an account that should be there.
fn no_account(account: i64) -> Error {
    Fault::bare(format!("account {account} is missing")).into()
}
