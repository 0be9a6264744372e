//! What the appliance in this process writes to its log, on this thread. One subscriber serves the whole process: several
//! that each serve a thread forget lines, because tracing remembers for all threads what the first one wanted.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use tracing_subscriber::filter::LevelFilter;

thread_local! {
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct OfThisThread;

impl io::Write for OfThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.iter_mut().for_each(|lines| lines.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines of every level that `work` writes.
pub fn log_of(work: impl FnOnce()) -> String {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        let lines = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
        tracing::subscriber::set_global_default(lines.with_writer(|| OfThisThread).finish()).unwrap();
    });
    LINES.set(Some(vec![]));
    work();
    String::from_utf8(LINES.take().unwrap_or_default()).unwrap()
}
