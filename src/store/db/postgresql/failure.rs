//! What the server's errors mean: which of them pass by themselves, and what a person can do about the others (PostgreSQL,
//! "PostgreSQL Error Codes").

use std::error::Error as _;
use std::{fmt, io};

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::client::Cause;
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
    pub(super) fn of(cause: &Cause) -> Failure {
        let Cause::Driver(error) = cause else { return Failure::Lost };
        let Some(code) = code(error) else {
            // What the server said could not be converted: not a matter of the connection.
            let is_conversion = error.to_string().contains("serializing") || error.to_string().contains("converting");
            let is_refusal = is_conversion || advice(cause).is_some_and(|advice| advice.stays);
            return if is_refusal { Failure::Final } else { Failure::Lost };
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

/// A statement that failed, with what to do where that is known.
pub(super) fn fault(what: &str, cause: Cause) -> Fault {
    let advice = match driver(&cause).and_then(code) {
        Some("42501") => Some(
            "the role in SPRITE_DATABASE lacks a right: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \
             the role, or let it own them",
        ),
        Some("57014") => Some(
            "the server ended it after its statement_timeout: something holds the rows for long (pg_stat_activity says what), \
             or the setting is too short for this database",
        ),
        Some("25006") => {
            Some("the server takes no writes: it is a standby now, or default_transaction_read_only is on there")
        }
        Some("53100") => Some("the server's disk is full: make room there"),
        _ => None,
    };
    let statement = what.split_whitespace().collect::<Vec<_>>().join(" ");
    let what = advice.map_or_else(|| statement.clone(), |advice| format!("{advice}; the statement was {statement}"));
    described(what, cause)
}

/// A connection that could not be made, with what to do.
pub(super) fn no_connection(cause: Cause) -> Fault {
    let what = advice(&cause).map_or("no connection to PostgreSQL", |advice| advice.words);
    described(what.to_owned(), cause)
}

fn described(what: String, cause: Cause) -> Fault {
    // What a row refuses is tried again, because another transaction may have made or removed that row. If it is refused every
    // time, nobody else is to blame: it is wrong, and stays so.
    let is_of_row = driver(&cause).and_then(code).is_some_and(|code| code.starts_with("23"));
    // A right that is missing is there once somebody grants it, and callers are to come back then.
    let lacks_right = driver(&cause).and_then(code) == Some("42501");
    let heals = (Failure::of(&cause).heals() && !is_of_row) || lacks_right;
    let fault = match cause {
        Cause::Silence => Fault::new(what, ServerError("no answer came in time".to_owned())),
        Cause::System(cause) => Fault::new(what, cause),
        Cause::Driver(cause) => match cause.as_db_error() {
            // Not its detail, which holds the values of rows.
            Some(error) => {
                Fault::new(what, ServerError(format!("{} (SQLSTATE {})", error.message(), error.code().code())))
            }
            None => Fault::new(what, cause),
        },
    };
    if heals { fault.retryable() } else { fault }
}

/// What to do about a connection that could not be made.
struct Advice {
    words: &'static str,
    /// Until somebody does it.
    stays: bool,
}

const fn stays(words: &'static str) -> Advice {
    Advice { words, stays: true }
}

const fn passes(words: &'static str) -> Advice {
    Advice { words, stays: false }
}

const ENDED: &str = "what listens there ended the connection: it is no PostgreSQL, it just stops, or something between does not \
    let this through";

const SILENT: &str =
    "the server does not answer: it stands still, or the network or a firewall does not let this machine through";

fn driver(cause: &Cause) -> Option<&Error> {
    match cause {
        Cause::Driver(error) => Some(error),
        Cause::Silence | Cause::System(_) => None,
    }
}

fn advice(cause: &Cause) -> Option<Advice> {
    match cause {
        Cause::Driver(error) => advice_of(error),
        Cause::Silence => Some(passes(SILENT)),
        Cause::System(_) => None,
    }
}

fn advice_of(cause: &Error) -> Option<Advice> {
    if let Some(code) = code(cause) {
        return match code {
            "28P01" | "28000" => Some(stays(
                "the server refuses this user: correct the name and the password in SPRITE_DATABASE, or the server's pg_hba.conf",
            )),
            "3D000" => Some(stays(
                "the server has no such database: make it (createdb), or correct the name in SPRITE_DATABASE",
            )),
            "42501" => {
                Some(stays("the role may not connect to this database: GRANT CONNECT ON DATABASE … TO the role"))
            }
            "53300" => Some(passes(
                "the server has no connection left: raise max_connections (or the limit of the role or of the database), or run \
                 fewer processes of till",
            )),
            _ => None,
        };
    }
    let why = cause.source();
    if let Some(advice) = why.and_then(of_certificate) {
        return Some(advice);
    }
    let words = why.map(ToString::to_string).unwrap_or_default();
    let kind = why.and_then(|why| why.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind {
        _ if words.contains("server does not support TLS") => Some(stays(
            "the server offers no TLS, which sslmode asks for: set ssl = on there, or sslmode=prefer in SPRITE_DATABASE where \
             the network is to be trusted",
        )),
        _ if words.contains("password missing") => Some(stays(
            "the server wants a password, and SPRITE_DATABASE has none: postgres://USER:PASSWORD@HOST/DATABASE",
        )),
        Some(io::ErrorKind::PermissionDenied) if words.contains("does not allow writes") => Some(passes(
            "the server takes no writes: it is a standby, or default_transaction_read_only is on there; name the primary in \
             SPRITE_DATABASE, or all servers of the cluster (postgres://USER@ONE,TWO/DATABASE)",
        )),
        Some(io::ErrorKind::ConnectionRefused) => {
            Some(passes("nothing listens there: start PostgreSQL, or correct the host and the port in SPRITE_DATABASE"))
        }
        Some(io::ErrorKind::TimedOut) => Some(passes(SILENT)),
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            Some(passes(ENDED))
        }
        None if cause.is_closed() => Some(passes(ENDED)),
        _ if words.contains("lookup address") => Some(passes(
            "the host's name is not known here: correct it in SPRITE_DATABASE, or the resolver of this machine",
        )),
        _ => None,
    }
}

/// What is wrong with the server's certificate, if that is why.
fn of_certificate(why: &(dyn std::error::Error + 'static)) -> Option<Advice> {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext};
    let within = why.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(fault) = within else { return None };
    Some(stays(match fault {
        NotValidForName | NotValidForNameContext { .. } => {
            "the server's certificate is of another name: call the server by a name that is in it, or use sslmode=verify-ca"
        }
        Expired | ExpiredContext { .. } => "the server's certificate has expired: renew it there",
        _ => {
            "no authority that is trusted here has issued the server's certificate: name the authority's certificate with \
             sslrootcert=FILE in SPRITE_DATABASE"
        }
    }))
}

fn code(cause: &Error) -> Option<&str> {
    cause.code().map(SqlState::code)
}
