//! Where a value waits for the caller who asked for it. The threads that do the work pass on only whether it was done, so what
//! queues, runs and answers it is compiled once, and not once more for each kind of value.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Fault, Result};

/// A place for one value, which two sides share.
pub(crate) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Slot<T> {
        Slot(Arc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Slot<T> {
        Slot(Arc::new(Mutex::new(None)))
    }

    /// Puts the value there, in place of one of an earlier attempt.
    pub(crate) fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// Takes the value. A fault when there is none: the work was not done.
    pub(crate) fn take(&self) -> Result<T> {
        let value = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or_else(|| Fault::bare("the work was not done").into())
    }
}
