//! What the server's errors mean: which of them pass by themselves, and what a person can do about the others (PostgreSQL,
//! "PostgreSQL Error Codes").

use std::fmt;

use crate::error::Fault;

/// What came of a statement or a connection that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another transaction was in the way: the same again succeeds.
    Conflict,
    /// The connection is gone, or leads to a server that does not take writes any more.
    Lost,
    /// The server cannot now.
    Unable,
    /// It is wrong, and stays so.
    Final,
}

/// Rows that another transaction made or removed meanwhile count as a conflict: what was read before is no longer true.
const CONFLICTS: [&str; 5] = ["40001", "40P01", "55P03", "23505", "23503"];
/// The server shuts down, starts, or has become a standby.
const LOST: [&str; 6] = ["57P01", "57P02", "57P03", "57P05", "25006", "25P03"];

impl Failure {
    pub(super) fn of(cause: &postgres::Error) -> Failure {
        let Some(code) = cause.code().map(postgres::error::SqlState::code) else {
            // What the server said could not be converted: not a matter of the connection.
            let is_conversion = cause.to_string().contains("serializing") || cause.to_string().contains("converting");
            return if is_conversion { Failure::Final } else { Failure::Lost };
        };
        match code {
            code if CONFLICTS.contains(&code) => Failure::Conflict,
            code if LOST.contains(&code) || code.starts_with("08") => Failure::Lost,
            code if ["53", "57", "58"].iter().any(|class| code.starts_with(class)) => Failure::Unable,
            _ => Failure::Final,
        }
    }

    fn heals(self) -> bool {
        self != Failure::Final
    }
}

/// What the server said, in one line.
#[derive(Debug)]
struct ServerError(String);

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServerError {}

/// A statement that failed.
pub(super) fn fault(what: &str, cause: postgres::Error) -> Fault {
    let heals = Failure::of(&cause).heals();
    let fault = match cause.as_db_error() {
        // Not its detail, which holds the values of rows.
        Some(error) => Fault::new(what, ServerError(format!("{} (SQLSTATE {})", error.message(), error.code().code()))),
        None => Fault::new(what, cause),
    };
    if heals { fault.retryable() } else { fault }
}

/// A connection that could not be made, with what to do.
pub(super) fn no_connection(cause: postgres::Error) -> Fault {
    let what = match cause.code().map(postgres::error::SqlState::code) {
        Some("28P01" | "28000") => {
            "the server refuses this user: correct the name and the password in SPRITE_DATABASE, or the server's pg_hba.conf"
        }
        Some("3D000") => "the server has no such database: make it (createdb), or correct the name in SPRITE_DATABASE",
        Some("53300") => {
            "the server has no connection left: raise max_connections (or the role's limit), or run fewer processes of till"
        }
        _ => "no connection to PostgreSQL",
    };
    let heals = Failure::of(&cause).heals();
    let fault = fault(what, cause);
    if heals { fault.retryable() } else { fault }
}
