//! Where the books are kept: a file of SQLite's, or a database of PostgreSQL's that several machines share.

mod server_address;

use std::fmt;
use std::path::{Path, PathBuf};

pub use server_address::ServerAddress;

/// Where the books are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite's.
    File(PathBuf),
    /// A database of PostgreSQL's, or of an engine that speaks its protocol.
    Server(ServerAddress),
}

impl Database {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Database::File(path) => Some(path),
            Database::Server(_) => None,
        }
    }
}

impl fmt::Display for Database {
    /// The path, or the connection string without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Database::File(path) => path.display().fmt(f),
            Database::Server(address) => address.fmt(f),
        }
    }
}

impl From<PathBuf> for Database {
    fn from(path: PathBuf) -> Database {
        Database::File(path)
    }
}

impl From<&Path> for Database {
    fn from(path: &Path) -> Database {
        Database::File(path.to_owned())
    }
}
