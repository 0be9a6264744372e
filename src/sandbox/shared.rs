//! The state behind one lock, for the server and the webhook threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::sandbox::due;
use crate::sandbox::state::{Cause, State};

/// The state, shared by the server and the webhook threads.
pub struct Shared {
    state: Mutex<State>,
    /// Rung when there may be a webhook to send.
    pub bell: Condvar,
    stopping: AtomicBool,
}

impl Shared {
    /// Takes the state over.
    pub fn new(state: State) -> Shared {
        Shared { state: Mutex::new(state), bell: Condvar::new(), stopping: AtomicBool::new(false) }
    }

    /// Does `work` on the state, alone, with everything done first whose time has come.
    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        due::run(&mut state);
        let outcome = work(&mut state);
        state.cause = Cause::default();
        state.leave_clock();
        drop(state);
        self.bell.notify_all();
        outcome
    }

    /// The state itself, for the webhook threads, which wait on it.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves no half-written money here: a stand-in goes on with what it has.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the webhook threads to end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.bell.notify_all();
    }

    /// Whether the end has been asked for.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}
