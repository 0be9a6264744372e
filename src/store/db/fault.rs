//! How failures of the database are passed on: it refuses nothing, so each is a fault, and some of them heal.

use crate::error::{Error, Fault, Refused};

/// What comes of a statement.
pub type DbResult<T> = std::result::Result<T, Fault>;

/// The transaction under way has ended, or takes no further statement: what was to be done has to be done again.
pub(super) fn lost() -> Fault {
    Fault::bare("the transaction was lost").retryable()
}

/// A fault that may heal is reported as "unavailable", so that the caller tries again; any other stays a fault.
pub(in crate::store) fn unavailable(fault: Fault) -> Error {
    if fault.is_retryable() {
        tracing::warn!(event = "store_unavailable", fault = %fault);
        Refused::DatabaseUnavailable { cause: fault.to_string() }.into()
    } else {
        fault.into()
    }
}
