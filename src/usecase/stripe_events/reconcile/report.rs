//! What a comparison found, and how far it has come.

use std::collections::BTreeMap;

use crate::error::{Error, Fault};
use crate::stripe::{StripeError, StripeErrorKind, UnreadableRow};
use crate::usecase::stripe_events::reconcile::scan::Part;

/// Rows and payments that a report names one by one. Further ones are only counted.
const NAMED_LIMIT: usize = 1_000;

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Stripe's events and objects that were compared.
    pub found: u64,
    /// Were missing, and are applied now.
    pub applied: u64,
    /// Were missing, and it is unknown who paid, or for what.
    pub unmatched: u64,
    /// Were missing, and wait for something else.
    pub waiting: u64,
    /// Were missing, and applying them failed.
    pub failed: u64,
    /// Rows of Stripe's lists that cannot be read.
    pub unreadable: u64,
    /// The first of them, and why.
    pub unreadable_rows: Vec<String>,
    /// Payments in the books that Stripe does not confirm.
    pub unconfirmed: u64,
    /// The first of them.
    pub unconfirmed_payments: Vec<UnconfirmedPayment>,
    /// Whether it continued an interrupted comparison. What that one compared is not counted here.
    pub is_resumed: bool,
    /// Lists that Stripe did not return, and why. They were not compared.
    pub unasked: Vec<String>,
    /// Paid objects in which nothing is ours, that the operator closed, or that an opening balance has. Their amounts are not
    /// compared.
    pub foreign: u64,
    /// By month and currency.
    pub amounts: BTreeMap<(String, String), Amounts>,
}

/// Minor units that were paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub stripe: i64,
    pub books: i64,
}

/// A payment in the books that Stripe does not confirm (`docs/rules.md`, rule 13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnconfirmedPayment {
    pub reference: String,
    pub user_id: String,
    /// The plan's or pack's key.
    pub offer: String,
    /// Units that it gave, less those that reversals took.
    pub units: i64,
    /// Minor units, by the books.
    pub amount: i64,
    pub currency: String,
    /// What Stripe says instead.
    pub detail: String,
}

/// How far a comparison has come in one of its lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub part: Part,
    pub rows: u64,
    /// Of the time that the list covers. `None` if it is unknown when the list begins.
    pub percent: Option<i64>,
    pub is_done: bool,
}

impl Report {
    /// Whether the books agree with Stripe, and everything could be compared.
    pub fn is_clean(&self) -> bool {
        self.unasked.is_empty()
            && [self.unmatched, self.waiting, self.failed, self.unreadable, self.unconfirmed] == [0; 5]
            && self.amounts.values().all(|amounts| amounts.stripe == amounts.books)
    }

    pub(super) fn add_unreadable(&mut self, part: Part, row: &UnreadableRow) {
        let UnreadableRow { id, cause, .. } = row;
        tracing::warn!(event = "not_compared", what = part.word(), id, error = %cause);
        self.unreadable += 1;
        if self.unreadable_rows.len() < NAMED_LIMIT {
            self.unreadable_rows.push(format!("{} {id}: {cause}", part.word()));
        }
    }

    pub(super) fn add_unconfirmed(&mut self, payment: UnconfirmedPayment) {
        self.unconfirmed += 1;
        if self.unconfirmed_payments.len() < NAMED_LIMIT {
            self.unconfirmed_payments.push(payment);
        }
    }

    pub(super) fn add_unasked(&mut self, part: Part, error: &ComparisonError) {
        let why = match error {
            ComparisonError::Stripe(error) => words(part, error),
            ComparisonError::Failed(error) => error.to_string(),
            ComparisonError::TooMany(limit) => {
                format!("Stripe was asked about {limit} of them, and the next run asks about the others")
            }
            ComparisonError::Stopped => "stopped".to_owned(),
        };
        tracing::warn!(event = "not_compared", what = part.word(), error = why);
        self.unasked.push(format!("{}: {why}", part.word()));
    }
}

/// Why a list could not be compared.
#[derive(Debug)]
pub(in crate::usecase::stripe_events) enum ComparisonError {
    Stripe(StripeError),
    Failed(Error),
    /// There are more payments to ask about than one run asks about.
    TooMany(u64),
    /// The caller wanted no further page.
    Stopped,
}

impl ComparisonError {
    /// Whether our key is restricted and may not read this list. Then it may still read the others.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, ComparisonError::Stripe(StripeError { kind: StripeErrorKind::Forbidden { .. }, .. }))
    }
}

impl From<StripeError> for ComparisonError {
    fn from(error: StripeError) -> ComparisonError {
        ComparisonError::Stripe(error)
    }
}

impl From<Error> for ComparisonError {
    fn from(error: Error) -> ComparisonError {
        ComparisonError::Failed(error)
    }
}

impl From<Fault> for ComparisonError {
    fn from(fault: Fault) -> ComparisonError {
        ComparisonError::Failed(fault.into())
    }
}

impl From<ComparisonError> for Error {
    fn from(error: ComparisonError) -> Error {
        match error {
            ComparisonError::Stripe(error) => error.for_operator(),
            ComparisonError::Failed(error) => error,
            ComparisonError::TooMany(_) | ComparisonError::Stopped => {
                Fault::bare("the comparison was stopped: the next one continues it").into()
            }
        }
    }
}

/// For the operator: what Stripe said, and the permission that a restricted key lacks.
fn words(part: Part, error: &StripeError) -> String {
    match &error.kind {
        StripeErrorKind::Forbidden { permission } => {
            let permission = permission.as_deref().unwrap_or_else(|| part.permission());
            format!("the restricted key lacks the permission {permission}")
        }
        _ => error.to_string(),
    }
}
