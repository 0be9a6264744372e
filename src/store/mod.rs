//! All SQL. A [`Store`] runs closures over a small [`Tx`]: `read` on pooled read-only connections, `write` on one writer
//! thread that commits what waits together. `db/` is the database itself; every other file here holds one family of
//! tables, written once for any engine behind [`Tx`]. `schema.sql` says what the tables are.

#![allow(missing_docs, reason = "a field or variant whose name says everything has no comment; functions have one")]

pub mod access;
pub mod allotments;
pub mod anchors;
pub mod attempts;
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
mod integrity;
mod leases;
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
mod place;
pub mod prices;
mod probes;
pub mod proof;
pub mod receipts;
pub mod relocation;
pub mod scheduled_changes;
pub mod second_factors;
pub mod server_report;
pub mod sessions;
pub mod steps;
pub mod stripe_account;
pub mod subscriptions;
mod unit_moves;
pub mod users;
pub mod webhook_endpoints;

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;

use crate::clock::{Clock, Timestamp};
use crate::database::{Database, ServerAddress};
use crate::error::{Error, Fault, Result};

use db::{
    ChangeLog, Checkpoints, Connection, DiskReads, FileWriter, Freshness, OpenedFiles, ReadAhead, Readers, Server,
    ServerReaders, Writer, unavailable,
};
use place::cannot_be_used;

pub use go_live::SetApart;
pub use leases::Lease;

pub use db::{
    AccountName, AmountsByDay, CacheKey, Columns, DbResult, Engine, Figure, FigureChange, Lock, Param, ReadVersion,
    Row, Scope, Tx, Value, WriterFigures,
};

/// Connections on which the rows of single accounts are written, where an engine takes several at a time. Each user always
/// gets the same one, so that what is written of one user by this process never waits for itself.
const ACCOUNT_WRITERS: usize = 4;

/// The open database. Cheap to share behind an `Arc`. When the last one is dropped, what is queued is written, and the
/// write-ahead log of a file is moved into it.
pub struct Store {
    // Closed in this order: only a connection that may write can remove the log, so it goes last.
    readers: Pool,
    memory: Option<Memory>,
    /// The files, where there are any, as they were opened.
    files: Option<Arc<OpenedFiles>>,
    /// Of an engine that takes several writes at a time: for those of single accounts.
    account_writers: Vec<Writer>,
    writer: Writer,
    server: Option<Server>,
    database: Database,
    clock: Clock,
}

/// The connections that read.
enum Pool {
    File(Readers),
    Server(ServerReaders),
}

/// What is known of a file that this process alone serves: which answers still hold, and whether it lies in the system's memory.
/// A server's database is changed by others as well, so nothing of it is known without asking.
struct Memory {
    freshness: Freshness,
    // Its threads have the way to the writer, which ends after them.
    read_ahead: ReadAhead,
}

/// Records a time as right, because the operator says so.
pub fn confirm_time(tx: &mut dyn Tx, time: Timestamp) -> Result<()> {
    db::record_confirmed(tx, time)
}

impl Store {
    /// Opens (or makes) the database and brings its schema up to date in one transaction. A schema newer than this program's
    /// is refused, and one whose books are on their way to another or from there.
    pub fn open(database: &Database, clock: &Clock) -> DbResult<Store> {
        let store = Store::open_any(database, clock, false)?;
        store.refuse_relocation().map(|()| store)
    }

    /// `in_relocation`: it is written also while its books are on their way.
    fn open_any(database: &Database, clock: &Clock, in_relocation: bool) -> DbResult<Store> {
        let opened = match database {
            Database::File(path) => Store::open_file(path, clock),
            Database::Server(address) => Store::open_on_server(address, clock, in_relocation),
        };
        opened.map_err(|cause| cannot_be_used(database, cause))
    }

    /// Whether a server's database has nothing in it, or whether there is no file. Where a file cannot be looked for, opening it
    /// says why.
    pub fn is_missing(database: &Database) -> DbResult<bool> {
        match database {
            Database::File(path) => Ok(path.try_exists().is_ok_and(|is_there| !is_there)),
            Database::Server(address) => {
                let looked = Server::at(address).and_then(|server| server.is_empty());
                looked.map_err(|cause| cannot_be_used(database, cause))
            }
        }
    }

    fn open_file(path: &Path, clock: &Clock) -> DbResult<Store> {
        let mut connection = Connection::open(path)?;
        let files = OpenedFiles::of(path)?;
        db::bring_up_to_date(&mut connection, clock.now())?;
        let files = Arc::new(files.with_log());
        let seen_at = db::seen_at(&mut connection);
        let clock = clock.judged(seen_at.map_err(|error| Fault::bare(error.to_string()))?);
        connection.keep_time_by(clock.clone());
        let readers = Readers::open(path)?;
        let changes = Arc::new(ChangeLog::new());
        let freshness = Freshness::start(connection.report_to(&changes)?, changes);
        let reads = Arc::<DiskReads>::default();
        let read_ahead = ReadAhead::new(path, Arc::clone(&reads));
        let checkpoints = Checkpoints::start(path)?;
        let figures = WriterFigures::new(checkpoints.wal_bytes());
        let writer =
            Writer::start(Box::new(FileWriter::new(connection, Arc::clone(&files), checkpoints, reads)), figures)?;
        Ok(Store {
            readers: Pool::File(readers),
            memory: Some(Memory { freshness, read_ahead }),
            files: Some(files),
            account_writers: vec![],
            writer,
            server: None,
            database: Database::File(path.to_owned()),
            clock,
        })
    }

    #[cfg_attr(
        not(feature = "postgres"),
        allow(unreachable_code, unused_variables, reason = "no server can be opened")
    )]
    fn open_on_server(address: &ServerAddress, clock: &Clock, in_relocation: bool) -> DbResult<Store> {
        let server = Server::open(address, clock.now())?;
        let readers = server.readers();
        let seen_at = readers.connection()?.read_one(db::seen_at).map_err(|error| Fault::bare(error.to_string()))?;
        let clock = clock.judged(seen_at);
        let figures = WriterFigures::new(Gauge::default());
        let writer = || Writer::start(server.writer(&clock, in_relocation), figures.clone());
        let account_writers = (0..ACCOUNT_WRITERS).map(|_| writer()).collect::<DbResult<Vec<_>>>()?;
        let writer = writer()?;
        let database = Database::Server(address.clone());
        Ok(Store {
            readers: Pool::Server(readers),
            memory: None,
            files: None,
            account_writers,
            writer,
            server: Some(server),
            database,
            clock,
        })
    }

    /// Runs `work` in a write transaction and returns once it is durable. `work` may run more than once, alone or in
    /// one transaction with others, so it must not call anything outside the database. When it fails, nothing of it is
    /// kept.
    pub fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        self.writer.write(Scope::Shop, work)
    }

    /// Runs `work` like [`Store::write`], while nothing else is written: for what needs all rows to stand still.
    pub fn write_alone<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        self.writer.write(Scope::Books, work)
    }

    /// Runs `work` like [`Store::write`], without waiting: `then` gets the result once, on the writer thread after the
    /// commit. All other commits wait for `then`, so it should only pass the result on.
    pub fn write_then<T, F, A>(&self, work: F, then: A)
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
        A: FnOnce(Result<T>) + Send + 'static,
    {
        self.writer.submit(Scope::Shop, work, then);
    }

    /// Runs `work` like [`Store::write_then`], and beside other writes where the engine takes several at a time. So it may change
    /// the rows of these accounts alone, and add rows that belong to no other. While a file is read from the disk and not from
    /// memory, `read` runs before it, beside others: it should ask for the rows that `work` will need. Its result is not used.
    pub fn write_of_accounts<T, R, F, A>(&self, accounts: Vec<AccountName>, read: R, work: F, then: A)
    where
        T: Send + 'static,
        R: FnOnce(&mut dyn Tx) -> Result<()> + Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
        A: FnOnce(Result<T>) + Send + 'static,
    {
        let read_ahead = self.memory.as_ref().map(|memory| &memory.read_ahead).filter(|ahead| ahead.is_needed());
        let writer = self.writer_of(&accounts.first());
        let scope = Scope::Accounts(accounts);
        let ahead = read_ahead.and_then(|ahead| Some((ahead, writer.queue()?.clone())));
        let Some((read_ahead, queue)) = ahead else { return writer.submit(scope, work, then) };
        let task = Box::new(move |reader: Option<&mut db::Reader>| {
            let _work_finds_out_itself = reader.map(|reader| reader.read_one(read));
            queue.submit(scope, work, then);
        });
        read_ahead.run(task);
    }

    /// Runs `work` like [`Store::write`], and beside other writes where the engine takes several at a time: it may change the row
    /// with this key alone, which is no account's.
    pub fn write_of_row<T, F>(&self, key: &[u8; 32], work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        self.writer_of(key).write(Scope::Accounts(vec![]), work)
    }

    /// The same key always has the same one.
    fn writer_of(&self, key: &impl Hash) -> &Writer {
        let mut hash = std::hash::DefaultHasher::new();
        key.hash(&mut hash);
        let turn = usize::try_from(hash.finish() % ACCOUNT_WRITERS as u64).unwrap_or(0);
        self.account_writers.get(turn).unwrap_or(&self.writer)
    }

    /// Runs `work` like [`Store::write`] and keeps nothing of it: the result says what it would do.
    pub fn dry_run<T, F>(&self, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        let (results, result) = std::sync::mpsc::channel();
        // An error is the way to undo everything that was done.
        let undone: Result<()> = self.writer.write(Scope::Shop, move |tx| {
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
        let (mut work, mut value) = (Some(work), None);
        self.read_snapshot(&mut |tx| {
            value = work.take().map(|work| work(tx)).transpose()?;
            Ok(())
        })?;
        value.ok_or_else(|| Fault::bare("a read was not run").into())
    }

    fn read_snapshot(&self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()> {
        match &self.readers {
            Pool::File(readers) => readers.connection().map_err(unavailable)?.snapshot(work),
            Pool::Server(readers) => readers.connection().map_err(unavailable)?.snapshot(work),
        }
    }

    /// Runs one indexed statement on this thread, if a connection to a file is free: there is no transaction around it, so each
    /// statement sees a snapshot of its own. Otherwise `work` is handed back, to be run where waiting holds nobody up.
    pub fn read_one<T, F>(&self, work: F) -> std::result::Result<Result<T>, F>
    where
        F: FnOnce(&mut dyn Tx) -> Result<T>,
    {
        let Pool::File(readers) = &self.readers else { return Err(work) };
        match readers.free_connection() {
            Some(mut connection) => Ok(connection.read_one(work)),
            None => Err(work),
        }
    }

    /// Runs `work` like [`Store::read_one`], on a thread that may wait for a connection.
    pub fn read_each<T>(&self, work: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
        match &self.readers {
            Pool::File(readers) => readers.connection().map_err(unavailable)?.read_one(work),
            Pool::Server(readers) => readers.connection().map_err(unavailable)?.read_one(work),
        }
    }

    /// The version of what is read from now on. Give it to [`Store::is_current`] to learn whether the answer still holds.
    pub fn read_version(&self) -> ReadVersion {
        self.memory.as_ref().map(|memory| memory.freshness.read_version()).unwrap_or_default()
    }

    /// Whether what was read of `key` at `version` still holds. Our own commits are known at once; those of another process on
    /// the same file about a millisecond later, provided that the caller has just asked for a [`Store::read_version`]. Of a
    /// server's database nothing is known to hold.
    pub fn is_current(&self, key: CacheKey, version: ReadVersion) -> bool {
        self.memory.as_ref().is_some_and(|memory| memory.freshness.is_current(key, version))
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

    /// Where the books are kept.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The file that they are kept in, if it is one.
    pub fn file(&self) -> Option<&Path> {
        self.database.file()
    }

    /// What keeps them.
    pub fn engine(&self) -> Engine {
        if self.server.is_some() { Engine::Postgres } else { Engine::Sqlite }
    }
}

/// The fault of an account that should be there.
fn no_account(account: i64) -> Error {
    Fault::bare(format!("account {account} is missing")).into()
}
