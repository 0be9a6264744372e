//! The service manager's watchdog (sd_watchdog_enabled(3)): it is fed while the writer commits. If it is not fed in time, the
//! manager ends the process and starts it again.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};

use sd_notify::NotifyState;

use crate::app::App;
use crate::error::{Fault, Result};

/// Probes in the time that the manager allows, so that one may be late.
const PROBES: u32 = 3;

/// The thread that feeds the watchdog. It ends when this is dropped.
pub(super) struct Watchdog(#[allow(dead_code, reason = "kept: dropping it ends the thread")] SyncSender<()>);

impl Watchdog {
    /// Starts it where the manager waits for it.
    pub(super) fn start(app: &Arc<App>) -> Result<Option<Watchdog>, Fault> {
        let Some(allowed) = sd_notify::watchdog_enabled() else { return Ok(None) };
        // Not kept alive from here: the end of the service closes the database.
        let app = Arc::downgrade(app);
        let (end, ended) = sync_channel(0);
        std::thread::Builder::new()
            .name("till-watchdog".to_owned())
            .spawn(move || {
                feed(&app);
                while ended.recv_timeout(allowed / PROBES) == Err(RecvTimeoutError::Timeout) {
                    feed(&app);
                }
            })
            .map_err(|cause| Fault::new("cannot start the thread till-watchdog", cause))?;
        Ok(Some(Watchdog(end)))
    }
}

/// Feeds the watchdog once a probe is committed, or where a start would not mend why it is not. A writer that stands still never answers, and then this does not return.
fn feed(app: &Weak<App>) {
    let Some(app) = app.upgrade() else { return };
    app.store.await_account_writers();
    let committed = app.store.check_writable(&app.clock);
    if let Err(error) = &committed {
        tracing::warn!(event = "watchdog_probe_failed", error = %error);
    }
    // A start makes no room, and would end the reads that go on meanwhile. Nor does it bring a server's database back: the writers
    // have answered that it is away, and come back with it.
    // A start would take whatever lies where the database was.
    let is_in_vain = app.store.is_disk_full() || app.store.is_moved() || app.config.database.file().is_none();
    if committed.is_ok() || is_in_vain {
        notify(&[NotifyState::Watchdog]);
    }
}

/// Tells the service manager, if there is one.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(states) {
        tracing::warn!(event = "service_manager_not_told", %cause);
    }
}
