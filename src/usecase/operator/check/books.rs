//! The database beside its working: who may read its files, and what the last comparison with Stripe left in doubt.

use super::finding::{Finding, bad, good, open};
use crate::app::App;
use crate::private_file::{beside, is_open_to_others};
use crate::usecase::stripe_events::payments;
use crate::usecase::stripe_events::reconcile::record;

/// Whether the last comparisons confirmed the payments in the books.
pub(super) fn payments(app: &App) -> Finding {
    let what = "payments";
    let looked = payments::count_in_doubt(app).and_then(|count| Ok((count, record::standing(app)?.0.is_some())));
    match looked {
        Ok((0, true)) => good(what, "none is in doubt after the last comparison with Stripe".to_owned()),
        Ok((0, false)) => open(what, "no comparison with Stripe has ended yet, which would confirm them".to_owned()),
        Ok((count, _)) => bad(what, format!("{count} in the books are not so at Stripe: till payment list shows them")),
        Err(error) => bad(what, error.to_string()),
    }
}

/// Whether the database and the files with secrets are their owner's alone.
pub(super) fn files(app: &App) -> Finding {
    let what = "private files";
    let mut open = app.config.open_files.clone();
    for path in app.store.file().iter().flat_map(|path| ["-wal", "-shm"].map(|suffix| beside(path, suffix))) {
        if is_open_to_others(&path) {
            open.push(format!("{} can be read or changed by everybody: chmod 600 {}", path.display(), path.display()));
        }
    }
    match open.is_empty() {
        true => good(what, "are their owner's alone".to_owned()),
        false => bad(what, open.join("; ")),
    }
}
