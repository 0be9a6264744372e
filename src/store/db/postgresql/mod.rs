//! PostgreSQL, or an engine that speaks its protocol, and the only folder that names its driver. Several processes may write:
//! what keeps them apart is in `locks`.

mod apart;
mod catalogue;
mod client;
mod failure;
mod locks;
mod readers;
mod report;
mod rows;
mod schema;
mod session;
mod session_tx;
mod statement;
mod tls;
mod wording;
mod writer;

use std::sync::{Mutex, PoisonError};

use super::fault::DbResult;
use super::rows::{Rows, TablePart};
use super::server_report::ServerReport;
use super::sqlite::SchemaObject;
use super::tx::Tx;
use super::writer::WriteConnection;
use crate::clock::{Clock, Timestamp};
use crate::database::ServerAddress;
use crate::error::{Fault, Result};

use session::{Connector, Purpose, Session, field, fields};
use writer::ServerWriter;

pub(in crate::store) use readers::ServerReaders;

/// A database of a server.
pub(in crate::store) struct Server {
    connector: Connector,
    /// The locks that this process holds, on a connection of their own: they end with it.
    locks: Mutex<Locks>,
}

#[derive(Default)]
struct Locks {
    session: Option<Session>,
    held: Vec<i32>,
}

impl Server {
    /// Connects, and makes the schema in an empty database.
    pub(in crate::store) fn open(address: &ServerAddress, now: Timestamp) -> DbResult<Server> {
        let server = Server::at(address)?;
        schema::bring_up_to_date(&mut server.connector.connect(Purpose::Writing)?, now)?;
        Ok(server)
    }

    /// Without a look at what is in it.
    pub(in crate::store) fn at(address: &ServerAddress) -> DbResult<Server> {
        Ok(Server { connector: Connector::new(address)?, locks: Mutex::default() })
    }

    /// Whether there is nothing in it. Fails if it is another program's.
    pub(in crate::store) fn is_empty(&self) -> DbResult<bool> {
        schema::is_empty(&mut self.connector.connect(Purpose::Reading)?)
    }

    /// The objects of the database, and those that this program makes.
    pub(in crate::store) fn objects(&self) -> DbResult<(Vec<SchemaObject>, Vec<SchemaObject>)> {
        // It makes the objects, and undoes that.
        let mut session = self.connector.connect(Purpose::Writing)?;
        let mut found = catalogue::objects(&mut session)?;
        found.extend(catalogue::unbound_settings(&mut session)?);
        Ok((found, catalogue::objects_made(&mut session)?))
    }

    /// Tables with rows that refer to a row that does not exist, the table that they refer to, and how many there are.
    pub(in crate::store) fn dangling(&self) -> DbResult<Vec<(String, String, i64)>> {
        catalogue::dangling(&mut self.connector.connect(Purpose::Reading)?)
    }

    pub(in crate::store) fn readers(&self) -> ServerReaders {
        ServerReaders::new(&self.connector)
    }

    /// `in_relocation`: it writes also while the books are on their way.
    pub(in crate::store) fn writer(&self, clock: &Clock, in_relocation: bool) -> Box<dyn WriteConnection> {
        Box::new(ServerWriter::new(&self.connector, clock, in_relocation))
    }

    /// Sets everything apart in a schema of this name, and begins again: `carried` are carried over with all their rows, and then
    /// `fill` writes, which may read the old tables as `apart`.
    pub(in crate::store) fn begin_again(
        &self,
        name: &str,
        now: Timestamp,
        carried: &[TablePart],
        fill: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
    ) -> Result<()> {
        apart::begin_again(&mut self.connector.connect(Purpose::Writing)?, name, now, carried, fill)
    }

    /// What the server says of itself, of a connection and of the role.
    pub(in crate::store) fn report(&self) -> DbResult<ServerReport> {
        report::report(&mut self.connector.connect(Purpose::Reading)?)
    }

    /// Its rows, to be copied.
    pub(in crate::store) fn rows(&self) -> DbResult<Box<dyn Rows>> {
        Ok(Box::new(rows::ServerRows::open(&self.connector)?))
    }

    /// Whether this process does the work of this number for all. One that does keeps it until it ends, or until its connection
    /// does.
    pub(in crate::store) fn lease(&self, number: i32) -> DbResult<bool> {
        self.lock(locks::lease(number), true)
    }

    /// Notes that this command serves, beside others; with `alone`, that nobody else may. `false` if somebody is in the way.
    pub(in crate::store) fn serve(&self, command: &str, alone: bool) -> DbResult<bool> {
        if !self.lock(locks::SERVICE, alone)? {
            return Ok(false);
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host: String = host.trim().chars().take(20).collect();
        let name = format!("{command}, process {} on {host}, {}", std::process::id(), env!("TILL_VERSION"));
        let name: String = name.chars().filter(|letter| letter.is_ascii() && *letter != '\'').take(60).collect();
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &mut locks.session {
            session.simple(&format!("SET application_name = '{name}'"))?;
        }
        Ok(true)
    }

    /// What the processes that serve call themselves.
    pub(in crate::store) fn served_by(&self) -> DbResult<Vec<String>> {
        let mut session = self.connector.connect(Purpose::Reading)?;
        Ok(fields(&session.simple(&locks::holders(locks::SERVICE))?, "holder"))
    }

    fn lock(&self, number: i32, alone: bool) -> DbResult<bool> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        let locks = &mut *locks;
        if !locks.session.as_mut().is_some_and(Session::is_alive) {
            locks.held.clear();
            locks.session = None;
        }
        if locks.held.contains(&number) {
            return Ok(true);
        }
        let session = match &mut locks.session {
            Some(session) => session,
            none => none.insert(self.connector.connect(Purpose::Locking)?),
        };
        let rows = session.simple(&locks::take(number, alone))?;
        match field(&rows, "taken") {
            Some("t") => {
                locks.held.push(number);
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(Fault::bare("the server does not say whether a lock was taken")),
        }
    }
}
