//! The log of this process, for stories on the library. All tests share it, because tracing knows one subscriber for a process;
//! so a story looks for what no other test writes.

use std::io::Write;
use std::sync::{Mutex, Once};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct CapturedLog;

impl Write for CapturedLog {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Captures the log from now on: our own lines of every level, and warnings of libraries.
pub fn capture() {
    static CAPTURED: Once = Once::new();
    CAPTURED.call_once(|| {
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(LevelFilter::TRACE);
        let filter = Targets::new().with_target("till", LevelFilter::TRACE).with_default(LevelFilter::WARN);
        lines.with_writer(|| CapturedLog).finish().with(filter).init();
    });
}

/// What was captured, a JSON object in each line.
pub fn captured() -> String {
    String::from_utf8(LOG.lock().unwrap().clone()).unwrap()
}
