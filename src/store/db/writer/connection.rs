//! What a writing thread needs of its connection, whatever engine is below.

use crate::error::Result;
use crate::store::db::fault::DbResult;
use crate::store::db::figures::FigureJournal;
use crate::store::db::time_record::TimeRecord;
use crate::store::db::tx::Tx;

/// Whose rows a write changes. SQLite has one writer, and needs no answer; an engine with many keeps the others away from
/// these rows alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Those of these accounts, and rows that no other write reads. Many such writes happen at the same time.
    Accounts(Vec<AccountName>),
    /// Any row. One such write happens at a time.
    #[default]
    Shop,
    /// All rows: nothing else is written meanwhile.
    Books,
}

/// By what a caller knows an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountName {
    /// Its user's id.
    User(String),
    Number(i64),
}

impl Scope {
    /// The scope of two writes in one transaction.
    pub(super) fn with(self, other: &Scope) -> Scope {
        match (self, other) {
            (Scope::Accounts(mut ours), Scope::Accounts(others)) => {
                ours.extend_from_slice(others);
                Scope::Accounts(ours)
            }
            (ours, others) => ours.max(others.clone()),
        }
    }
}

/// A connection on which one thread writes. Once its transaction has ended or failed it takes no statement of the job any more:
/// SQLite ends it by itself on a full disk or an I/O error and would commit each further one alone, and PostgreSQL's reason for
/// refusing further ones says nothing.
pub(in crate::store) trait WriteConnection: Tx + Send {
    /// Called once, on the thread that writes.
    fn start(&mut self) {}

    /// Begins a transaction for so many jobs.
    fn begin(&mut self, scope: &Scope, jobs: usize) -> DbResult<()>;

    /// Ends it. When this returns, everything is durable, or nothing is kept. A refusal says that it is not known.
    fn commit(&mut self) -> Result<()>;

    /// Ends the transaction, if there still is one, and keeps nothing of it.
    fn rollback(&mut self);

    /// Whether a transaction is under way in which statements can be run.
    fn is_open(&self) -> bool;

    fn savepoint(&mut self) -> DbResult<()>;
    fn keep(&mut self) -> DbResult<()>;
    fn undo(&mut self) -> DbResult<()>;

    /// Rows changed since the connection was opened, undone changes included: shows whether a job wrote anything.
    fn rows_changed(&self) -> u64;

    /// Whether the transaction failed because of others, so that it may succeed when it is run again.
    fn may_succeed_again(&mut self) -> bool {
        false
    }

    /// What the transaction under way adds to the figures.
    fn figures(&mut self) -> &mut FigureJournal;

    /// Which rows of the figures are this connection's.
    fn figures_writer(&self) -> i64 {
        0
    }

    /// The clock of the transactions, and when one of them last recorded the time.
    fn time(&mut self) -> &mut TimeRecord;

    /// So many jobs were answered after a commit.
    fn answered(&mut self, _jobs: usize) {}

    /// Nothing more is written.
    fn end(&mut self) {}
}
