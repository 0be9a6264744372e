//! What a server says of itself and of its database: for checks and for the operator's pages.

use super::{Store, db};
use crate::database::ServerAddress;
use crate::error::Result;

pub use db::{ServerReport, Standbys};

impl Store {
    /// What the server says of itself; `None` of a file.
    pub fn server_report(&self) -> Result<Option<ServerReport>> {
        self.server.as_ref().map(|server| server.report().map_err(db::unavailable)).transpose()
    }
}

/// The same of a server whose database may be empty.
pub fn at(address: &ServerAddress) -> Result<ServerReport> {
    db::Server::at(address)?.report().map_err(db::unavailable)
}
