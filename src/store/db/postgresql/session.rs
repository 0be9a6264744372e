//! One connection to the server: how it is set up, and how statements run on it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, SimpleQueryMessage, SimpleQueryRow, Statement};

use super::client::{Cause, Client, Servers};
use super::failure::{Failure, fault, no_connection};
use super::statement::bound;
use super::tls::Tls;
use crate::clock::Deadline;
use crate::database::ServerAddress;
use crate::error::Fault;
use crate::store::db::fault::DbResult;
use crate::store::db::value::{Param, Row};

/// How long a connection may take to be made, for each address.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the server may leave what was sent to it unacknowledged until the connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);
/// A connection that did something so recently is taken to be alive.
const RECENTLY: Duration = Duration::from_millis(500);
/// A commit waits for its standby as long as that takes: were the wait ended, what is then answered could be lost with that server.
/// PostgreSQL 15 does not count a commit against the time of a statement. This says so to servers that might.
pub(super) const COMMIT: &str = "SET LOCAL statement_timeout = 0; COMMIT";
/// The oldest server that has everything till needs (`pg_current_xact_id`).
const OLDEST_SERVER: i64 = 130_000;

/// What a connection is for: it decides how long the server waits for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A transaction that stands still is ended soon, because others wait for its locks: also those of a process that the
    /// network was cut from.
    Writing,
    Reading,
    /// Holds locks of the session and does nothing else.
    Locking,
}

impl Purpose {
    fn settings(self) -> &'static str {
        match self {
            Purpose::Writing => "SET idle_in_transaction_session_timeout = '10s'",
            Purpose::Reading => {
                "SET idle_in_transaction_session_timeout = '15min'; SET default_transaction_read_only = on"
            }
            // Since PostgreSQL 14.
            Purpose::Locking => {
                "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"
            }
        }
    }

    /// How long we wait for the server: it ends a statement itself before that, if it runs.
    fn patience(self) -> Duration {
        Duration::from_millis(self.statement_millis().into()) + UNACKNOWLEDGED
    }

    /// How long a statement may take, unless the role's or the database's own setting is shorter.
    fn statement_millis(self) -> u32 {
        match self {
            Purpose::Writing => 30_000,
            Purpose::Reading | Purpose::Locking => 120_000,
        }
    }
}

/// How connections are made.
#[derive(Clone)]
pub(super) struct Connector {
    servers: Servers,
}

impl Connector {
    /// Of a connection string. Nothing is connected yet.
    pub(super) fn new(address: &ServerAddress) -> DbResult<Connector> {
        let (url, tls) = Tls::of(address.reveal())?;
        let mut config: Config = url.parse().map_err(|cause| {
            let expected = "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE (PostgreSQL, \"Connection URIs\")";
            Fault::new(format!("SPRITE_DATABASE cannot be read: {expected}"), cause)
        })?;
        if config.get_hosts().is_empty() {
            return Err(Fault::bare("SPRITE_DATABASE names no host: expected postgres://USER:PASSWORD@HOST/DATABASE"));
        }
        config.connect_timeout(*config.get_connect_timeout().unwrap_or(&CONNECT));
        config.tcp_user_timeout(*config.get_tcp_user_timeout().unwrap_or(&UNACKNOWLEDGED));
        config.keepalives_idle(UNACKNOWLEDGED).keepalives_interval(Duration::from_secs(2)).keepalives_retries(3);
        // Of several servers the one that takes writes. What was just written is read there as well.
        config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name(format!("till, process {}", std::process::id()));
        }
        Ok(Connector { servers: Servers::new(&config, tls) })
    }

    /// A connection, set up.
    pub(super) fn connect(&self, purpose: Purpose) -> DbResult<Session> {
        let client = self.servers.connect(purpose.patience()).map_err(no_connection)?;
        let used = Deadline::after(Duration::ZERO);
        let mut session = Session { client, statements: HashMap::new(), failure: None, rows_changed: 0, used };
        session.set_up(purpose)?;
        Ok(session)
    }
}

/// A connection, with the statements that were prepared on it.
pub(super) struct Session {
    client: Client,
    /// By the address of the text: statements are constants.
    statements: HashMap<(usize, usize, bool), Statement>,
    failure: Option<Failure>,
    rows_changed: u64,
    /// When it last did something.
    used: Deadline,
}

/// A column of the last row that has one of this name; `None` where it is NULL or there is no such row.
pub(super) fn field<'a>(rows: &'a [SimpleQueryRow], name: &str) -> Option<&'a str> {
    rows.iter().rev().find_map(|row| row.try_get(name).ok()).flatten()
}

/// The same column of each row.
pub(super) fn fields(rows: &[SimpleQueryRow], name: &str) -> Vec<String> {
    rows.iter().filter_map(|row| row.try_get(name).ok().flatten().map(str::to_owned)).collect()
}

impl Session {
    fn set_up(&mut self, purpose: Purpose) -> DbResult<()> {
        // A commit is answered when it is durable, whatever the role's setting says.
        const SET_UP: &str =
            "SET client_min_messages = 'warning'; SET default_transaction_isolation = 'read committed';
            SET standard_conforming_strings = on; SET quote_all_identifiers = off; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2;
            SET tcp_keepalives_count = 3; SET tcp_user_timeout = 10000;
            SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
            SELECT current_setting('server_version_num') AS version, getdatabaseencoding() AS encoding";
        let millis = purpose.statement_millis();
        let timeout = format!(
            "SELECT set_config('statement_timeout', '{millis}', false) FROM pg_settings
            WHERE name = 'statement_timeout' AND NOT CAST(setting AS BIGINT) BETWEEN 1 AND {millis}"
        );
        let rows = self.simple(&format!("{}; {timeout}; {SET_UP}", purpose.settings()))?;
        let version: i64 = field(&rows, "version").and_then(|text| text.parse().ok()).unwrap_or_default();
        if version < OLDEST_SERVER {
            let expected = "PostgreSQL 13 or newer, or an engine that does the same, was expected";
            return Err(Fault::bare(format!("the server is too old (server_version_num {version}): {expected}")));
        }
        match field(&rows, "encoding") {
            Some("UTF8") => Ok(()),
            found => Err(Fault::bare(format!(
                "the database's encoding is {}, and UTF8 was expected: createdb --encoding=UTF8 --template=template0",
                found.unwrap_or("unknown")
            ))),
        }
    }

    /// Several statements without parameters; the rows of all of them.
    pub(super) fn simple(&mut self, sql: &str) -> DbResult<Vec<SimpleQueryRow>> {
        let messages = self.client.wait(|driver| driver.simple_query(sql)).map_err(|cause| self.failed(sql, cause))?;
        Ok(messages
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            })
            .collect())
    }

    /// Runs `work` in a transaction that these statements begin. It is kept if the work succeeds.
    pub(super) fn transaction<T, E: From<Fault>>(
        &mut self,
        begin: &str,
        work: impl FnOnce(&mut Session) -> Result<T, E>,
    ) -> Result<T, E> {
        self.simple(begin)?;
        match work(self) {
            Ok(done) => Ok(self.simple(COMMIT).map(|_| done)?),
            Err(error) => {
                let _lost_with_the_connection = self.simple("ROLLBACK");
                Err(error)
            }
        }
    }

    /// Runs a statement; how many rows it changed.
    pub(super) fn execute(&mut self, sql: &'static str, params: &[&dyn Param]) -> DbResult<usize> {
        let statement = self.statement(sql, false)?;
        let bound = bound(sql, &statement, params)?;
        let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let changed =
            self.client.wait(|driver| driver.execute(&statement, &bound)).map_err(|cause| self.failed(sql, cause))?;
        self.rows_changed += changed;
        self.used = Deadline::after(Duration::ZERO);
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Shows each row of a statement; `locking`: and locks the row of the account `a` until the transaction's end.
    pub(super) fn query(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        locking: bool,
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        let statement = self.statement(sql, locking)?;
        let bound = bound(sql, &statement, params)?;
        let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        // All at once: each statement has its own LIMIT, and asking for row after row costs a turn of the runtime for each.
        let rows =
            self.client.wait(|driver| driver.query(&statement, &bound)).map_err(|cause| self.failed(sql, cause))?;
        self.used = Deadline::after(Duration::ZERO);
        if !sql.trim_start().starts_with("SELECT") && !sql.trim_start().starts_with("WITH") {
            self.rows_changed += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        }
        rows.iter().try_for_each(|row| visit(&Row::new(row)))
    }

    /// Locks the rows of accounts, by their numbers or their users' ids, until the transaction's end.
    pub(super) fn lock_accounts(&mut self, sql: &'static str, numbers: &[i64], users: &[&str]) -> DbResult<()> {
        let statement = self.statement(sql, false)?;
        let names: [&(dyn ToSql + Sync); 2] = [&numbers, &users];
        let rows = self.client.wait(|driver| driver.query(&statement, &names));
        rows.map(drop).map_err(|cause| self.failed(sql, cause))
    }

    fn statement(&mut self, sql: &'static str, locking: bool) -> DbResult<Statement> {
        let key = (sql.as_ptr().addr(), sql.len(), locking);
        if let Some(statement) = self.statements.get(&key) {
            return Ok(statement.clone());
        }
        let text = if locking { Cow::Owned(format!("{sql} FOR UPDATE OF a")) } else { Cow::Borrowed(sql) };
        let prepared = self.client.wait(|driver| driver.prepare(&text));
        let statement = prepared.map_err(|cause| self.failed(sql, cause))?;
        self.statements.insert(key, statement.clone());
        Ok(statement)
    }

    /// Gives each statement as much time as this, for what takes long.
    pub(super) fn allow(&mut self, limit: Duration) -> DbResult<()> {
        self.client.allow(limit + UNACKNOWLEDGED);
        self.simple(&format!("SET statement_timeout = '{}ms'", limit.as_millis())).map(drop)
    }

    /// The driver's own connection, for what no constant statement does.
    pub(super) fn client(&mut self) -> &mut Client {
        self.used = Deadline::after(Duration::ZERO);
        &mut self.client
    }

    pub(super) fn failed(&mut self, what: &str, cause: Cause) -> Fault {
        self.failure = Some(Failure::of(&cause));
        fault(what, cause)
    }

    /// What the last failure was, since this was asked before.
    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    pub(super) fn rows_changed(&self) -> u64 {
        self.rows_changed
    }

    /// Whether the connection is known to be closed, without asking the server.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.failure == Some(Failure::Lost)
    }

    fn answers(&mut self) -> bool {
        let before = self.client.allow(CONNECT);
        let answer = self.client.wait(|driver| driver.simple_query(""));
        self.client.allow(before);
        answer.is_ok()
    }

    /// Whether the server still answers. It is asked only after a pause.
    pub(super) fn is_alive(&mut self) -> bool {
        !self.is_closed() && (self.used.elapsed() < RECENTLY || self.answers())
    }
}
