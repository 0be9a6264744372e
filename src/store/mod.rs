//! All SQL. A [`Store`] runs closures over a small [`Tx`]: `read` on pooled read-only connections, `write` on one writer
//! thread that commits what waits together. `sqlite.rs` is the only file that names the driver; every other file here
//! holds one family of tables, written once for any engine behind [`Tx`].

pub mod access;
mod checkpoint;
pub mod cursors;
pub mod customers;
pub mod entries;
pub mod holds;
pub mod inbox;
mod lock;
pub mod orders;
pub mod outbox;
pub mod payments;
mod schema;
mod sqlite;
pub mod subscriptions;
mod value;
mod watch;
pub mod webhook_endpoints;
mod writer;

pub mod users;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::error::{Error, Fault, Refused, Result};

pub use lock::Lock;
pub use value::{Row, Value};
pub use watch::{CacheKey, ReadVersion};
pub use writer::WriterFigures;

/// One transaction, as the rest of the store sees it. Statements are constants, so that none is put together at run
/// time; `$n` is the n-th parameter, and a parameter too many or too few is refused.
pub trait Tx {
    /// Runs a statement and answers how many rows it changed.
    fn execute(&mut self, sql: &'static str, params: &[Value<'_>]) -> std::result::Result<usize, Fault>;

    /// All rows of a statement, which carries its own LIMIT.
    fn query(&mut self, sql: &'static str, params: &[Value<'_>]) -> std::result::Result<Vec<Row>, Fault>;

    /// The first row, if there is one.
    fn query_one(&mut self, sql: &'static str, params: &[Value<'_>]) -> std::result::Result<Option<Row>, Fault> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Said by whoever changes an account's row: what was answered of its user is true no longer. Of a table without row
    /// numbers SQLite tells nothing itself; of a new account, the row of its user does.
    fn mark_changed(&mut self, account: i64);
}

/// The database, open. Cheap to share behind an `Arc`; when the last one goes, what is queued is written and the file
/// is left tidy.
pub struct Store {
    // Closed in this order: only a connection that may write can put the log away, so it goes last.
    readers: sqlite::Readers,
    watch: watch::Freshness,
    writer: writer::Writer,
    path: PathBuf,
}

impl Store {
    /// Opens (or makes) the database at `path` and brings its schema up to date in one transaction. A schema newer
    /// than this program's is refused.
    pub fn open(path: &Path, clock: &Clock) -> std::result::Result<Store, Fault> {
        let cannot = |fault: Fault| {
            let (heals, what) = (fault.is_retryable(), format!("the database {} cannot be used", path.display()));
            let told = Fault::new(what, fault);
            if heals { told.retryable() } else { told }
        };
        let mut connection = sqlite::Connection::open(path).map_err(cannot)?;
        schema::bring_up_to_date(&mut connection, clock.now()).map_err(cannot)?;
        let readers = sqlite::Readers::open(path).map_err(cannot)?;
        let changes = Arc::new(watch::ChangeLog::new());
        let watch = watch::Freshness::start(connection.report_to(&changes).map_err(cannot)?, changes);
        Ok(Store {
            readers,
            watch,
            writer: writer::Writer::start(connection, checkpoint::Checkpoints::start(path)?)?,
            path: path.to_owned(),
        })
    }

    /// Runs `work` in a write transaction and answers once it is durable. `work` may run more than once, alone or in
    /// one transaction with its neighbours, so it talks to nobody. When it answers an error, nothing of it stays.
    pub fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        self.writer.write(work)
    }

    /// Runs `work` like [`Store::write`], without waiting: `then` hears once how it ended, on the writer thread after the
    /// commit. Everybody else's commit waits for it, so it only passes the outcome on.
    pub fn write_then<T, F, A>(&self, work: F, then: A)
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
        A: FnOnce(Result<T>) + Send + 'static,
    {
        self.writer.submit(work, then);
    }

    /// Runs `work` like [`Store::write`] and keeps nothing of it: the answer says what it would do.
    pub fn dry_run<T, F>(&self, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T> + Send + 'static,
    {
        let (seen, answer) = std::sync::mpsc::channel();
        // An error is the way to undo everything that was done.
        let undone: Result<()> = self.writer.write(move |tx| {
            let _gone = seen.send(work(tx)?);
            Err(Fault::bare("a rehearsal keeps nothing").into())
        });
        match (answer.try_iter().last(), undone) {
            (Some(result), _) => Ok(result),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Fault::bare("a rehearsal was kept").into()),
        }
    }

    /// Runs `work` on a snapshot of the database.
    pub fn read<T>(&self, work: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
        let mut connection = self.readers.connection().map_err(unavailable)?;
        connection.snapshot(work)
    }

    /// Runs `work` at once, where a connection is free: for single statements found by an index, each of which sees a
    /// snapshot of its own. Where none is free, `work` comes back.
    pub fn look<T, F>(&self, work: F) -> std::result::Result<Result<T>, F>
    where
        F: FnOnce(&mut dyn Tx) -> Result<T>,
    {
        match self.readers.free_connection() {
            Some(mut connection) => Ok(connection.look(work)),
            None => Err(work),
        }
    }

    /// The stamp of what is read from now on, by which [`Store::is_current`] tells how long it is true.
    pub fn stamp(&self) -> ReadVersion {
        self.watch.stamp()
    }

    /// Whether what was read of `subject` at `stamp` is still so. What we have committed is known at once; what another
    /// process has, about a millisecond after it, to whoever has just asked for a stamp.
    pub fn is_current(&self, subject: CacheKey, stamp: ReadVersion) -> bool {
        self.watch.is_current(subject, stamp)
    }

    /// Proves that the database takes writes and that its schema is this program's: for the readiness probe.
    pub fn check_writable(&self, clock: &Clock) -> Result<()> {
        let now = clock.now();
        self.write(move |tx| schema::touch(tx, now))
    }

    /// What the writer has done so far, for the metrics.
    pub fn figures(&self) -> &WriterFigures {
        self.writer.figures()
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A fault that may heal is told as "unavailable", so that the caller tries again; any other stays a fault.
fn unavailable(fault: Fault) -> Error {
    if fault.is_retryable() {
        tracing::warn!(event = "store_unavailable", fault = %fault);
        let detail = "The database cannot be used right now; nothing was changed. Try again shortly.".to_owned();
        Refused::Unavailable { retry_after: 1, detail }.into()
    } else {
        fault.into()
    }
}

/// A row that cannot be: what is stored does not read back as what was written.
fn corrupt(what: &str) -> Fault {
    Fault::bare(format!("the database holds a value that till did not write: {what}"))
}
