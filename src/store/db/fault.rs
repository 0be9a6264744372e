//! How failures of the database are passed on: it refuses nothing, so each is a fault, and some of them heal.

use std::sync::LazyLock;

use crate::error::{Error, Fault, Refused};
use crate::log_pace::LogPace;

/// What comes of a statement.
pub type DbResult<T> = std::result::Result<T, Fault>;

/// The transaction under way has ended, or takes no further statement: what was to be done has to be done again.
pub(super) fn lost() -> Fault {
    Fault::bare("the transaction was lost").retryable()
}

/// Each failed write and read has such a line, and callers try again.
static UNAVAILABLE_LINES: LazyLock<LogPace> = LazyLock::new(LogPace::new);

/// A fault that may heal is reported as "unavailable", so that the caller tries again; any other stays a fault.
pub(in crate::store) fn unavailable(fault: Fault) -> Error {
    if fault.is_retryable() {
        if let Some(left_out) = UNAVAILABLE_LINES.next() {
            tracing::warn!(event = "store_unavailable", fault = %fault, left_out);
        }
        Refused::DatabaseUnavailable { cause: fault.to_string() }.into()
    } else {
        fault.into()
    }
}
