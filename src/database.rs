//! Where the books are kept: a file of SQLite's, or a database of PostgreSQL's that several machines share.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::secret::Secret;

/// Where the books are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite's.
    File(PathBuf),
    /// A database of PostgreSQL's, or of an engine that speaks its protocol.
    Server(ServerAddress),
}

/// The connection string of a database, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    url: Secret,
    shown: String,
}

impl ServerAddress {
    /// Of a connection URI (PostgreSQL, "Connection URIs"). `None` if it is none.
    pub fn parse(url: &str) -> Option<ServerAddress> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        // The last one: a password may hold this sign, although it should be written %40.
        let (user, host) = place.rsplit_once('@').map_or(("", place), |(user, host)| (user, host));
        let user = user.split_once(':').map_or(user, |(user, _)| user);
        let at = if user.is_empty() { "" } else { "@" };
        let known = ["host=", "port=", "dbname=", "user=", "sslmode="];
        let parameters: Vec<&str> =
            parameters.split('&').filter(|parameter| known.iter().any(|name| parameter.starts_with(name))).collect();
        let mark = if parameters.is_empty() { "" } else { "?" };
        let shown = format!("postgres://{user}{at}{host}{mark}{}", parameters.join("&"));
        Some(ServerAddress { url: Secret::new(url), shown })
    }

    /// The whole connection string: for the driver alone.
    pub fn reveal(&self) -> &str {
        self.url.reveal()
    }
}

impl fmt::Display for ServerAddress {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://till:geheim@db:5432/till", "postgres://till@db:5432/till"),
            ("postgresql://a:x@y@one:1,two:2/till?target_session_attrs=read-write", "postgres://a@one:1,two:2/till"),
            (
                "postgres:///till?host=/run/pg&password=geheim&sslmode=require",
                "postgres:///till?host=/run/pg&sslmode=require",
            ),
            ("postgres://%2Frun%2Fpg/till", "postgres://%2Frun%2Fpg/till"),
        ] {
            let address = ServerAddress::parse(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.reveal(), url);
            assert!(!format!("{address:?}").contains("geheim"));
        }
        assert_eq!(ServerAddress::parse("/var/lib/till.db"), None);
    }
}
