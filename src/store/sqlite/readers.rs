//! Connections that only read: a pool of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use r2d2::ManageConnection;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::OpenFlags;

use super::{BUSY, Outcome, READER_CACHE_KIB, READER_WAIT, READERS, Snapshot, fault};
use crate::error::{Fault, Result};
use crate::store::{Tx, unavailable};

const READ_ONLY: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Read-only connections.
pub(in crate::store) struct Readers {
    pool: r2d2::Pool<Manager>,
    closing: Arc<AtomicBool>,
}

/// Makes connections until the pool is closing; from then on what comes back to the pool is closed.
struct Manager {
    files: SqliteConnectionManager,
    closing: Arc<AtomicBool>,
}

impl ManageConnection for Manager {
    type Connection = rusqlite::Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> rusqlite::Result<rusqlite::Connection> {
        if self.closing.load(Ordering::SeqCst) {
            return Err(rusqlite::Error::QueryReturnedNoRows);
        }
        self.files.connect()
    }

    fn is_valid(&self, connection: &mut rusqlite::Connection) -> rusqlite::Result<()> {
        self.files.is_valid(connection)
    }

    fn has_broken(&self, _: &mut rusqlite::Connection) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}

impl Readers {
    pub(in crate::store) fn open(path: &Path) -> Outcome<Readers> {
        let closing = Arc::<AtomicBool>::default();
        let build = r2d2::Pool::builder()
            .max_size(READERS)
            // All are opened here and stay open.
            .min_idle(None)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_on_check_out(false)
            .connection_timeout(READER_WAIT)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build(Manager { files: manager(path), closing: Arc::clone(&closing) });
        let pool = build.map_err(|cause| Fault::new("no connection to read with", cause))?;
        Ok(Readers { pool, closing })
    }

    pub(in crate::store) fn connection(&self) -> Outcome<Reader> {
        let connection =
            self.pool.get().map_err(|cause| Fault::new("no connection to read with", cause).retryable())?;
        Ok(Reader(connection))
    }

    /// A connection, if there is one that nobody uses.
    pub(in crate::store) fn free_connection(&self) -> Option<Reader> {
        self.pool.try_get().map(Reader)
    }
}

impl Drop for Readers {
    /// Closes every connection here and now. A thread of the pool may hold the pool a little longer, and with it what it
    /// has; the writer would then not be the last to leave the file, and could not put the log away.
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        while self.pool.try_get().is_some() {}
    }
}

fn manager(path: &Path) -> SqliteConnectionManager {
    SqliteConnectionManager::file(path).with_flags(READ_ONLY).with_init(|connection| set_up_to_read(connection))
}

fn set_up_to_read(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "cache_size", READER_CACHE_KIB)?;
    connection.pragma_update(None, "query_only", true)
}

/// A read-only connection on loan.
pub(in crate::store) struct Reader(r2d2::PooledConnection<Manager>);

impl Reader {
    /// Runs `work` without a transaction around it.
    pub(in crate::store) fn look<T>(&mut self, work: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
        work(&mut Snapshot(&self.0))
    }

    /// Runs `work` inside one deferred transaction, and ends it whatever happens: the pool does not look at what it
    /// gets back.
    pub(in crate::store) fn snapshot<T>(&mut self, work: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
        let begun = self.0.unchecked_transaction().map_err(|cause| unavailable(fault("BEGIN", cause)))?;
        let result = work(&mut Snapshot(&begun));
        // Dropping the transaction rolls it back, also when `work` panicked.
        drop(begun);
        result
    }
}
