//! The file stays compact: room that nothing needs any more is given back to the file system, in short steps and while little
//! is written, so that nobody waits for it.

use crate::app::App;
use crate::error::Result;

/// Writes between two looks, up to which the appliance counts as idle. The worker makes some itself.
const IDLE_WRITES: u64 = 20;
/// Free pages that are left for what is written next: 1 MiB.
const KEPT_PAGES: i64 = 256;
/// Steps of one look, each a transaction of its own: 4 MiB.
const STEPS: usize = 16;

/// What the worker remembers between its rounds.
#[derive(Default)]
pub struct Compaction {
    writes: u64,
    /// The file gives nothing back: another program made it so. Trying again would be a flush of the disk each time.
    is_fixed: bool,
}

impl Compaction {
    /// Gives some room back, if there is enough of it and little was written since the last look. Returns how many pages.
    pub fn look(&mut self, app: &App) -> Result<usize> {
        let figures = app.store.figures();
        let is_idle = figures.writes.get().saturating_sub(self.writes) <= IDLE_WRITES;
        let is_due = is_idle && !self.is_fixed && app.store.free_pages()? > KEPT_PAGES;
        let given = if is_due { give_back(app) } else { Ok(0) };
        self.is_fixed |= is_due && matches!(given, Ok(0));
        self.writes = figures.writes.get();
        given
    }
}

fn give_back(app: &App) -> Result<usize> {
    let mut given = 0;
    for _ in 0..STEPS {
        let pages = app.store.give_back_pages()?;
        given += usize::try_from(pages).unwrap_or(0);
        if pages <= 0 || app.store.figures().queued_writes.get() > 0 || app.store.free_pages()? <= KEPT_PAGES {
            break;
        }
    }
    Ok(given)
}
