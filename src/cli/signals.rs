//! Signals to stop: SIGTERM from a service manager, SIGINT from Ctrl-C.

use std::io::Read;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::error::{Fault, Result};

/// Listens from its creation on, so that a signal during the start is not lost and does not skip the clean-up.
pub(super) struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Signals, Fault> {
        let fault = |cause| Fault::new("cannot listen for signals", cause);
        let runtime = Builder::new_current_thread().enable_io().build().map_err(fault)?;
        let inside = runtime.enter();
        let terminate = signal(SignalKind::terminate()).map_err(fault)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
        drop(inside);
        Ok(Signals { runtime, terminate, interrupt })
    }

    /// Waits for the first signal, and calls `on_line` for each line that comes on standard input meanwhile.
    pub(super) fn wait_with_lines(mut self, mut on_line: impl FnMut()) {
        // Nobody can end a thread that reads; it ends with the process.
        let (sender, mut lines) = mpsc::channel(1);
        std::thread::spawn(move || {
            // Only the ends of lines count, so a line without an end takes no memory.
            for byte in std::io::stdin().lock().bytes() {
                match byte {
                    Ok(b'\n') if sender.blocking_send(()).is_err() => return,
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => return,
                    _ = self.interrupt.recv() => return,
                    Some(()) = lines.recv() => on_line(),
                }
            }
        });
    }

    /// Waits for the first signal and returns its name.
    pub(super) fn wait(mut self) -> &'static str {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            }
        })
    }
}
