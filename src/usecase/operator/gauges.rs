//! What `/metrics` says of the books and the machine, looked at when it is asked for. Each look costs the same in large books
//! as in small ones, or is made once a minute at most.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::metrics::KindLabels;
use crate::private_file::beside;
use crate::store::inbox::Status;
use crate::store::{Tx, backups, comparisons, confirmations, figures, holds, inbox};
use crate::usecase::stripe_events::inbox as events;
use crate::usecase::stripe_events::reconcile::record;

/// Statuses that wait for somebody or something, of which there are few.
const OPEN: [Status; 3] = [Status::Waiting, Status::Unmatched, Status::Failed];

/// Brings the gauges up to date.
pub fn refresh(app: &App) -> Result<()> {
    let now = app.clock.now();
    let age = |at: Option<Timestamp>| at.map_or(-1, |at| (now.millis().saturating_sub(at.millis()) / 1000).max(0));
    let (newest, backup, compared) =
        app.store.read(|tx| Ok((inbox::newest_arrival(tx)?, backups::last(tx)?, comparisons::last(tx)?)))?;
    let metrics = &app.metrics;
    metrics.stripe_event_age_seconds.set(age(newest));
    metrics.backup_age_seconds.set(age(backup.map(|last| last.made_at)));
    metrics.comparison_age_seconds.set(age(compared.as_ref().and_then(|last| last.ended_at)));
    for (kind, count) in record::differences(compared.as_ref()) {
        metrics.comparison_differences.get_or_create(&KindLabels { kind }).set(count);
    }
    metrics.doubtful_payments.set(app.store.read(confirmations::count_in_doubt)?);
    look_at_disk(app);
    if metrics.is_count_due() {
        count_all(app)?;
    } else {
        let counted = app
            .store
            .read(|tx| OPEN.into_iter().map(|status| inbox::count_of(tx, status)).collect::<Result<Vec<i64>>>())?;
        for (status, count) in OPEN.into_iter().zip(counted) {
            metrics.inbox_events.get_or_create(&KindLabels { kind: status.as_str() }).set(count);
        }
    }
    Ok(())
}

fn look_at_disk(app: &App) {
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    if let Ok(bytes) = app.store.bytes() {
        app.metrics.database_bytes.set(size(bytes));
    }
    if let Some(room) = app.store.disk_room() {
        app.metrics.disk_free_bytes.set(size(room.free));
        app.metrics.disk_size_bytes.set(size(room.total));
    }
    if let Some(Ok(log)) = app.store.file().map(|path| beside(path, "-wal").metadata()) {
        app.store.figures().wal_bytes.set(size(log.len()));
    }
}

/// What grows with the books: the inbox by an index of it alone, units by a row for each day, held ones by an index over open
/// holds.
fn count_all(app: &App) -> Result<()> {
    let counted = events::count(app)?;
    for kind in events::KINDS {
        // None is a number too: a kind that has become empty does not keep its last one.
        let count = counted.iter().find(|(counted, _)| *counted == kind).map_or(0, |(_, count)| *count);
        app.metrics.inbox_events.get_or_create(&KindLabels { kind }).set(count);
    }
    for (kind, units) in app.store.read(units)? {
        app.metrics.books_units.get_or_create(&KindLabels { kind }).set(units);
    }
    Ok(())
}

fn units(tx: &mut dyn Tx) -> Result<[(&'static str, i64); 7]> {
    let sums = figures::units(tx)?;
    Ok([
        ("sold", sums.bought),
        ("given", sums.given),
        ("spent", sums.used),
        ("expired", sums.expired),
        ("reversed", sums.reversed),
        ("outstanding", sums.left),
        ("held", holds::units_held(tx)?),
    ])
}
