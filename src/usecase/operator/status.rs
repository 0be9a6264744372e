//! The appliance at a glance: what an operator wants to know first, from the books and this machine alone. Nobody is asked
//! over the network; that is `check`.

use std::path::Path;

use crate::app::App;
use crate::clock::Timestamp;
use crate::config::Mode;
use crate::error::Result;
use crate::private_file::beside;
use crate::store::backups::{self, Backup};
use crate::store::inbox::InboxRow;
use crate::store::{Lock, outbox};
use crate::usecase::mail::deliver;
use crate::usecase::operator::clock;
use crate::usecase::operator::figures::{self, Overview};
use crate::usecase::stripe_events::reconcile::poll;
use crate::usecase::stripe_events::{inbox, payments, reconcile};

/// The appliance at a glance.
#[derive(Clone, Debug)]
pub struct ApplianceStatus {
    /// Which process serves on this database, in its own words; `None` if none does.
    pub served_by: Option<String>,
    /// Of the file, in bytes.
    pub database_bytes: u64,
    /// Of the write-ahead log beside it, in bytes.
    pub log_bytes: u64,
    /// The last backup that was made of it.
    pub backup: Option<Backup>,
    /// `None` without a key.
    pub mode: Option<Mode>,
    /// Keys of plans and packs that cannot be bought, because their Stripe price is not known.
    pub without_price: Vec<String>,
    /// Users, subscriptions, and the money of the running month.
    pub overview: Overview,
    /// The arrival that is the latest, and its type.
    pub newest_event: Option<(Timestamp, String)>,
    /// How many events have which status.
    pub events: Vec<(&'static str, i64)>,
    /// Up to when Stripe's events are compared with the books.
    pub compared_to: Option<Timestamp>,
    /// When Stripe last told its events, where no webhook brings them.
    pub polled_at: Option<Timestamp>,
    /// Payments in the books that Stripe does not confirm.
    pub in_doubt: i64,
    /// Outgoing messages that wait to be delivered.
    pub messages_open: i64,
    /// Outgoing messages that were given up.
    pub messages_parked: i64,
    /// Letters to people that wait, and those that were given up in the last week.
    pub mails: (i64, i64),
    /// What is wrong with the clock, if anything is.
    pub clock_fault: Option<String>,
}

/// What can be said of the machine at once, however old the books are.
#[derive(Clone, Debug)]
pub struct MachineStatus {
    /// As in [`ApplianceStatus`], like all of these.
    pub served_by: Option<String>,
    pub database_bytes: u64,
    pub log_bytes: u64,
    pub backup: Option<Backup>,
    pub newest_event: Option<(Timestamp, String)>,
    pub clock_fault: Option<String>,
}

/// Looks at the files and the clock.
pub fn machine(app: &App) -> Result<MachineStatus> {
    let path = app.store.file();
    let newest = inbox::list(app, None, 1)?.into_iter().next();
    Ok(MachineStatus {
        served_by: Lock::holder(app.store.database()),
        database_bytes: app.store.bytes()?,
        log_bytes: path.map_or(0, |path| bytes(&beside(path, "-wal"))),
        backup: app.store.read(backups::last)?,
        newest_event: newest.map(|InboxRow { event, .. }| (event.received_at, event.kind)),
        clock_fault: clock::fault(app),
    })
}

/// Looks at the books, the files and the clock.
pub fn look(app: &App) -> Result<ApplianceStatus> {
    let MachineStatus { served_by, database_bytes, log_bytes, backup, newest_event, clock_fault } = machine(app)?;
    let (messages_open, messages_parked) = app.store.read(outbox::count)?;
    Ok(ApplianceStatus {
        served_by,
        database_bytes,
        log_bytes,
        backup,
        mode: app.config.stripe.mode(),
        without_price: app.catalog.missing_price_ids().into_iter().map(|(key, _)| key).collect(),
        overview: figures::overview(app, 1)?,
        newest_event,
        events: inbox::count(app)?,
        compared_to: reconcile::compared_to(app)?,
        polled_at: if app.config.stripe.is_polled() { poll::polled_at(app)? } else { None },
        in_doubt: payments::count_in_doubt(app)?,
        messages_open,
        messages_parked,
        mails: deliver::count(app)?,
        clock_fault,
    })
}

/// The size of a file; 0 for one that is not there.
fn bytes(path: &Path) -> u64 {
    path.metadata().map_or(0, |file| file.len())
}
