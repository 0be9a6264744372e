//! The state behind one lock, for the server and the webhook threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::sandbox::due;
use crate::sandbox::state::{EventCause, State};

pub struct Shared {
    state: Mutex<State>,
    /// Notified when there may be a webhook to send.
    pub bell: Condvar,
    stopping: AtomicBool,
}

impl Shared {
    pub fn new(state: State) -> Shared {
        Shared { state: Mutex::new(state), bell: Condvar::new(), stopping: AtomicBool::new(false) }
    }

    /// Runs `work` alone on the state, after everything that is due. Wakes the webhook threads.
    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        due::run(&mut state);
        let outcome = work(&mut state);
        state.cause = EventCause::default();
        state.follow_own_clock();
        drop(state);
        self.bell.notify_all();
        outcome
    }

    /// The locked state, for the webhook threads, which wait on it.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // After a panic the stand-in goes on with the state it has.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.bell.notify_all();
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}
