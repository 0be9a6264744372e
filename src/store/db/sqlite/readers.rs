//! Connections that only read: a pool of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use r2d2::ManageConnection;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::OpenFlags;

use super::statement::{BUSY, Snapshot, fault};
use crate::error::{Fault, Result};
use crate::store::db::fault::{DbResult, unavailable};
use crate::store::db::tx::Tx;

/// How long a reader waits for a free connection.
const WAIT: Duration = Duration::from_secs(2);
const READERS: u32 = 4;
/// How much of the file each reader may cache, in KiB.
const CACHE_KIB: u32 = 2_048;
const READ_ONLY: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Read-only connections.
pub(in crate::store) struct Readers {
    pool: r2d2::Pool<Manager>,
    closing: Arc<AtomicBool>,
}

/// Makes connections until the pool is closing; from then on each connection that comes back is closed.
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
    pub(in crate::store) fn open(path: &Path) -> DbResult<Readers> {
        Readers::open_some(path, READERS, CACHE_KIB)
    }

    /// So many, each of which may cache so much of the file.
    pub(in crate::store) fn open_some(path: &Path, readers: u32, cache_kib: u32) -> DbResult<Readers> {
        let closing = Arc::<AtomicBool>::default();
        let build = r2d2::Pool::builder()
            .max_size(readers)
            // All are opened here and stay open.
            .min_idle(None)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_on_check_out(false)
            .connection_timeout(WAIT)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build(Manager { files: manager(path, cache_kib), closing: Arc::clone(&closing) });
        let pool = build.map_err(|cause| Fault::new("no connection to read with", cause))?;
        Ok(Readers { pool, closing })
    }

    pub(in crate::store) fn connection(&self) -> DbResult<Reader> {
        let connection =
            self.pool.get().map_err(|cause| Fault::new("no connection to read with", cause).retryable())?;
        Ok(Reader(connection))
    }

    /// A connection, if one is free.
    pub(in crate::store) fn free_connection(&self) -> Option<Reader> {
        self.pool.try_get().map(Reader)
    }
}

impl Drop for Readers {
    /// Closes every connection now. A thread of the pool may hold the pool a little longer, with its connections; the
    /// writer would then not be the last to close the file, and could not remove the log.
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        while self.pool.try_get().is_some() {}
    }
}

fn manager(path: &Path, cache_kib: u32) -> SqliteConnectionManager {
    SqliteConnectionManager::file(super::as_path(path))
        .with_flags(READ_ONLY)
        .with_init(move |connection| set_up_to_read(connection, cache_kib))
}

fn set_up_to_read(connection: &rusqlite::Connection, cache_kib: u32) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    // To SQLite a negative number means KiB.
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "query_only", true)
}

/// A read-only connection on loan.
pub(in crate::store) struct Reader(r2d2::PooledConnection<Manager>);

impl Reader {
    /// Runs `work` without a transaction around it.
    pub(in crate::store) fn read_one<T>(&mut self, work: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
        work(&mut Snapshot(&self.0))
    }

    /// Runs `work` inside one deferred transaction, and ends it whatever happens: the pool does not inspect the
    /// connections that it gets back.
    pub(in crate::store) fn snapshot(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()> {
        let begun = self.0.unchecked_transaction().map_err(|cause| unavailable(fault("BEGIN", cause)))?;
        let result = work(&mut Snapshot(&begun));
        // Dropping the transaction rolls it back, also when `work` panicked.
        drop(begun);
        result
    }
}
