//! A connection that writes, one of several in this process and of more in others. It comes back by itself after it was lost.

use std::time::Duration;

use super::failure::Failure;
use super::locks;
use super::session::{COMMIT, Connector, Purpose, Session, field};
use crate::clock::{Clock, Deadline};
use crate::error::{Fault, Refused, Result};
use crate::store::db::fault::{DbResult, lost};
use crate::store::db::figures::{FigureChange, FigureJournal};
use crate::store::db::schema::{VERSION, refuse_newer};
use crate::store::db::time_record::TimeRecord;
use crate::store::db::tx::{Engine, Tx};
use crate::store::db::value::{Param, Row};
use crate::store::db::writer::{AccountName, Scope, WriteConnection};

/// How long it is tried to learn what became of a commit that was not answered.
const PATIENCE: Duration = Duration::from_secs(6);
/// The pause between two attempts at that.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a batch of several jobs of the shop waits for an account: another batch may wait for one of ours. Each job is then
/// written alone, and waits as long as it takes.
const WAIT_TOGETHER: &str = "SET LOCAL lock_timeout = '100ms'";
/// The rows of these accounts, in one order for everybody, so that no two writes ever wait for each other. One list of numbers, because
/// two conditions with OR between them would read the whole table of the books, and not its key.
const LOCK: &str = "SELECT account FROM books WHERE part = 1 AND seq = 0 AND used_reason = ''
    AND account = ANY($1 || ARRAY(SELECT account FROM users WHERE id = ANY($2))) ORDER BY account FOR UPDATE";
/// With the newest schema, because a newer till may have changed it since this one began, and with whether the books are on their way
/// to another database. The lock that was taken before keeps the schema as it is until the transaction's end.
const IDENTITY: &str = "SELECT pg_current_xact_id()::text AS transaction,
    (SELECT version FROM schema_version ORDER BY version DESC LIMIT 1) AS schema,
    (SELECT direction FROM relocation WHERE one = 1) AS relocation";

/// The transaction under way.
struct Transaction {
    /// Its id, and when its server started: after a restart or a fail-over an id may be another transaction's.
    id: String,
    server: String,
    /// Accounts were locked when it began.
    accounts_are_locked: bool,
}

/// A connection that writes.
pub(in crate::store) struct ServerWriter {
    connector: Connector,
    session: Option<Session>,
    transaction: Option<Transaction>,
    may_succeed_again: bool,
    /// It writes also while the books are on their way.
    in_relocation: bool,
    /// Which rows of the figures are ours, while the session lasts.
    writer: i64,
    /// When the server of the session was started.
    server: String,
    time: TimeRecord,
    figures: FigureJournal,
}

impl ServerWriter {
    pub(super) fn new(connector: &Connector, clock: &Clock, in_relocation: bool) -> ServerWriter {
        let mut time = TimeRecord::default();
        time.keep_by(clock.clone());
        ServerWriter {
            connector: connector.clone(),
            session: None,
            transaction: None,
            may_succeed_again: false,
            in_relocation,
            writer: 0,
            server: String::new(),
            time,
            figures: FigureJournal::default(),
        }
    }

    /// The session, made if there is none that lives.
    fn session(&mut self) -> DbResult<&mut Session> {
        if self.session.as_ref().is_some_and(Session::is_closed) {
            self.session = None;
        }
        match &mut self.session {
            Some(session) => Ok(session),
            none => {
                let mut session = self.connector.connect(Purpose::Writing)?;
                let rows = session.simple(&locks::take_writer())?;
                let writer = field(&rows, "writer").and_then(|number| number.parse().ok());
                self.writer = writer.ok_or_else(|| Fault::bare("too many connections write").retryable())?;
                self.server = field(&rows, "server").unwrap_or_default().to_owned();
                Ok(none.insert(session))
            }
        }
    }

    /// The session of the transaction under way, while statements can be run in it.
    fn open_session(&mut self) -> DbResult<&mut Session> {
        let is_open = self.is_open();
        self.session.as_mut().filter(|_| is_open).ok_or_else(lost)
    }

    fn try_to_begin(&mut self, scope: &Scope, jobs: usize) -> DbResult<()> {
        let begin = match scope {
            Scope::Accounts(_) => locks::begin_of_accounts(),
            Scope::Shop if jobs > 1 => format!("{}; {WAIT_TOGETHER}", locks::begin_of_shop()),
            Scope::Shop => locks::begin_of_shop(),
            Scope::Books => locks::begin_of_books(),
        };
        let session = self.session()?;
        let rows = session.simple(&format!("{begin}; {IDENTITY}"))?;
        let schema = field(&rows, "schema").and_then(|version| version.parse().ok());
        let accounts_are_locked = matches!(scope, Scope::Accounts(_) | Scope::Books);
        if let Scope::Accounts(names) = scope
            && !names.is_empty()
        {
            let (numbers, users) = sorted(names);
            session.lock_accounts(LOCK, &numbers, &users)?;
        }
        let id = field(&rows, "transaction").unwrap_or_default().to_owned();
        self.transaction = Some(Transaction { id, server: self.server.clone(), accounts_are_locked });
        let newer =
            |fault| Fault::new("nothing is written any more, because a newer till has changed the database", fault);
        refuse_newer(schema, VERSION).map_err(|fault| newer(fault).retryable())?;
        match field(&rows, "relocation") {
            Some(_) if !self.in_relocation => Err(Fault::bare(
                "nothing is written any more, because till migrate is moving the books, or has moved them: stop this till, and \
                 start it with the database where they are now",
            )
            .retryable()),
            _ => Ok(()),
        }
    }

    /// What the connection's last failure means for the transaction.
    fn note_failure(&mut self) -> Option<Failure> {
        let failure = self.session.as_mut().and_then(Session::take_failure);
        self.may_succeed_again |= matches!(failure, Some(Failure::Conflict | Failure::Lost));
        if failure == Some(Failure::Lost) {
            self.session = None;
        }
        failure
    }

    /// What became of a commit whose answer did not come. The server that was asked for it knows, as long as it runs. After a
    /// restart, or where another server took over, nobody does: then the work is done again, and the unique reasons of what it
    /// writes keep it from happening twice.
    fn outcome(&mut self, transaction: &Transaction) -> Result<()> {
        let patience = Deadline::after(PATIENCE);
        loop {
            match self.ask(transaction) {
                Ok(Outcome::Committed) => return Ok(()),
                Ok(Outcome::NotKept) => {
                    self.may_succeed_again = true;
                    return Err(Fault::bare("the connection was lost before the commit").retryable().into());
                }
                Ok(Outcome::UnderWay) => {}
                Err(fault) => tracing::warn!(event = "commit_in_doubt", fault = %fault),
            }
            if patience.left().is_zero() {
                let detail = "The connection to the database was lost while this was written, and it is not known whether \
                     it was. Send the same request again, with the same idempotency key: it happens once.";
                return Err(Refused::Unavailable { retry_after: 2, detail: detail.to_owned() }.into());
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn ask(&mut self, transaction: &Transaction) -> DbResult<Outcome> {
        let id: u64 = transaction.id.parse().map_err(|cause| Fault::new("a transaction has no id", cause))?;
        let asked = format!("SELECT pg_xact_status('{id}'::xid8) AS status");
        self.session()?;
        if self.server != transaction.server {
            return Ok(Outcome::NotKept);
        }
        let rows = self.session()?.simple(&asked)?;
        Ok(match field(&rows, "status") {
            Some("committed") => Outcome::Committed,
            Some("in progress") => Outcome::UnderWay,
            _ => Outcome::NotKept,
        })
    }
}

/// What became of a commit.
enum Outcome {
    Committed,
    NotKept,
    UnderWay,
}

/// The numbers and the users' ids among them.
fn sorted(names: &[AccountName]) -> (Vec<i64>, Vec<&str>) {
    let (mut numbers, mut users) = (vec![], vec![]);
    for name in names {
        match name {
            AccountName::Number(number) => numbers.push(*number),
            AccountName::User(id) => users.push(id.as_str()),
        }
    }
    (numbers, users)
}

fn no_transaction() -> Fault {
    Fault::bare("the connection to the database was lost").retryable()
}

impl WriteConnection for ServerWriter {
    fn begin(&mut self, scope: &Scope, jobs: usize) -> DbResult<()> {
        self.may_succeed_again = false;
        let begun = self.try_to_begin(scope, jobs);
        let Err(fault) = begun else { return Ok(()) };
        // An old connection may have been lost since it was used last, which is noticed only now.
        match self.note_failure() {
            Some(Failure::Lost) => {}
            _ => self.rollback(),
        }
        match self.may_succeed_again {
            true => self.try_to_begin(scope, jobs).inspect_err(|_| {
                self.note_failure();
            }),
            false => Err(fault),
        }
    }

    fn commit(&mut self) -> Result<()> {
        let transaction = self.transaction.take().ok_or_else(no_transaction)?;
        // The server would end a transaction in which a statement failed without an error, and keep nothing.
        let committed = match self.session.as_mut().filter(|session| !session.has_failed()) {
            Some(session) => session.simple(COMMIT),
            None => return Err(no_transaction().into()),
        };
        let Err(fault) = committed else { return Ok(()) };
        match self.note_failure() {
            Some(Failure::Lost) => self.outcome(&transaction),
            _ => Err(fault.into()),
        }
    }

    fn rollback(&mut self) {
        let failure = self.note_failure();
        let was_begun = self.transaction.take().is_some() || failure.is_some();
        let Some(session) = self.session.as_mut().filter(|_| was_begun) else { return };
        // What is rolled back on a lost connection, the server rolls back.
        if session.simple("ROLLBACK").is_err() {
            self.session = None;
        }
    }

    fn is_open(&self) -> bool {
        self.transaction.is_some() && self.session.as_ref().is_some_and(|session| !session.has_failed())
    }

    fn savepoint(&mut self) -> DbResult<()> {
        self.open_session()?.simple("SAVEPOINT job").map(drop)
    }

    fn keep(&mut self) -> DbResult<()> {
        self.open_session()?.simple("RELEASE SAVEPOINT job").map(drop)
    }

    fn undo(&mut self) -> DbResult<()> {
        self.open_session()?.simple("ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job").map(drop)
    }

    fn rows_changed(&self) -> u64 {
        self.session.as_ref().map_or(0, Session::rows_changed)
    }

    fn may_succeed_again(&mut self) -> bool {
        let _noted = self.note_failure();
        self.may_succeed_again
    }

    fn figures(&mut self) -> &mut FigureJournal {
        &mut self.figures
    }

    fn figures_writer(&self) -> i64 {
        self.writer
    }

    fn time(&mut self) -> &mut TimeRecord {
        &mut self.time
    }
}

impl Tx for ServerWriter {
    fn execute(&mut self, sql: &'static str, params: &[&dyn Param]) -> DbResult<usize> {
        self.open_session()?.execute(sql, params)
    }

    fn query(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        self.open_session()?.query(sql, params, false, visit)
    }

    fn query_locking(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        let locking = self.transaction.as_ref().is_some_and(|transaction| !transaction.accounts_are_locked);
        self.open_session()?.query(sql, params, locking, visit)
    }

    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    // Nothing is answered from memory, so nothing has to be marked.
    fn mark_changed(&mut self, _account: i64) {}

    fn add_to_figure(&mut self, change: FigureChange) {
        self.figures.note(change);
    }

    fn is_time_plausible(&self) -> bool {
        self.time.is_plausible()
    }
}
