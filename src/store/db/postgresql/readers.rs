//! Connections that only read: a pool of them. They read where it is written, so that nothing is older than an answer.

use std::time::Duration;

use r2d2::ManageConnection;

use super::session::{Connector, Purpose, Session};
use super::session_tx::SessionTx;
use crate::error::{Error, Fault, Result};
use crate::store::db::fault::{DbResult, unavailable};
use crate::store::db::tx::Tx;

/// How long a reader waits for a free connection.
const WAIT: Duration = Duration::from_secs(4);
const READERS: u32 = 8;

/// Connections that read.
pub(in crate::store) struct ServerReaders {
    pool: r2d2::Pool<Manager>,
}

/// A connection that reads, on loan.
pub(in crate::store) struct ServerReader(r2d2::PooledConnection<Manager>);

struct Manager(Connector);

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = Fault;

    fn connect(&self) -> DbResult<Session> {
        self.0.connect(Purpose::Reading)
    }

    fn is_valid(&self, session: &mut Session) -> DbResult<()> {
        if session.is_alive() { Ok(()) } else { Err(Fault::bare("the connection was lost")) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.is_closed()
    }
}

impl ServerReaders {
    /// The pool. Its connections are made when they are needed first.
    pub(super) fn new(connector: &Connector) -> ServerReaders {
        let pool = r2d2::Pool::builder()
            .max_size(READERS)
            .min_idle(Some(0))
            .test_on_check_out(true)
            .connection_timeout(WAIT)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(Manager(connector.clone()));
        ServerReaders { pool }
    }

    pub(in crate::store) fn connection(&self) -> DbResult<ServerReader> {
        let connection = self.pool.get();
        connection.map(ServerReader).map_err(|cause| Fault::new("no connection to read with", cause).retryable())
    }
}

impl ServerReader {
    /// Runs `work` on one snapshot.
    pub(in crate::store) fn snapshot(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()> {
        self.0.simple("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").map_err(unavailable)?;
        let snapshot = Snapshot(&mut self.0);
        work(&mut SessionTx::reading(snapshot.0)).map_err(healing)
    }

    /// Runs `work` without a transaction around it.
    pub(in crate::store) fn read_one<T>(&mut self, work: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
        work(&mut SessionTx::reading(&mut self.0)).map_err(healing)
    }
}

/// A fault that may heal is passed on as such.
fn healing(error: Error) -> Error {
    match error {
        Error::Fault(fault) => unavailable(fault),
        refused @ Error::Refused(_) => refused,
    }
}

/// A transaction, which ends with this, also when the work panicked.
struct Snapshot<'a>(&'a mut Session);

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let _lost_with_the_connection = self.0.simple("ROLLBACK");
    }
}
