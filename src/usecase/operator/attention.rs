//! What an operator has to do: each count by an index over what is open alone, so that it is as quick in old books as in
//! new ones.

use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::config::Mode;
use crate::error::Result;
use crate::store::backups::{self, Backup};
use crate::store::inbox::Status;
use crate::store::{Engine, inbox, outbox, payment_records, webhook_endpoints};
use crate::usecase::mail::deliver;
use crate::usecase::operator::{clock, kept_prices};
use crate::usecase::stripe_events::payments;
use crate::usecase::stripe_events::reconcile::record;

/// A backup that is as old as this waits for the next one.
const BACKUP_DAYS: i64 = 7;

/// Something to be done, with how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Payments of which nobody knows whose they are or for what.
    Unmatched(i64),
    /// Events that could not be applied.
    FailedEvents(i64),
    /// Events that wait for something else.
    WaitingEvents(i64),
    /// Payments that Stripe does not confirm.
    Doubtful(i64),
    /// Disputes that are not closed, which are to be answered before a deadline of Stripe's.
    Disputes(i64),
    /// The last comparison found the books to differ.
    Differs,
    /// Notifications that were given up.
    Parked(i64),
    /// Letters that were given up in the last week.
    FailedLetters(i64),
    /// A secret of this endpoint is about to end.
    EndingSecret(String),
    /// Keys of what cannot be bought because Stripe's price is not known.
    WithoutPrice(Vec<String>),
    /// Prices that are not what the catalogue says.
    OtherPrices(i64),
    /// No backup was made of books that hold real money.
    NoBackup,
    /// The last backup is so many days old.
    OldBackup(i64),
    /// What is wrong with the clock.
    Clock(String),
    /// What the configuration warns of.
    Configuration(String),
}

/// Everything that is to be done, what concerns money first.
pub fn look(app: &App) -> Result<Vec<Attention>> {
    let now = app.clock.now();
    let (unmatched, failed, waiting, parked, disputes, hooks) = app.store.read(|tx| {
        let hooks = webhook_endpoints::all(tx)?;
        let [unmatched, failed, waiting] =
            [Status::Unmatched, Status::Failed, Status::Waiting].map(|status| inbox::count_of(tx, status));
        let (parked, disputes) = (outbox::count_parked(tx)?, payment_records::count_disputes(tx)?);
        Ok((unmatched?, failed?, waiting?, parked, disputes, hooks))
    })?;
    let (last, _) = record::standing(app)?;
    let (_, prices) = kept_prices::as_charged(app)?;
    let missing: Vec<String> = app.catalog.missing_price_ids().into_iter().map(|(key, _)| key).collect();
    let ending = hooks.into_iter().filter(|hook| hook.older_secret.as_ref().is_some_and(|(_, until)| *until > now));
    let counted = |count: i64, what: fn(i64) -> Attention| (count > 0).then(|| what(count));
    let some = [
        counted(unmatched, Attention::Unmatched),
        counted(failed, Attention::FailedEvents),
        counted(payments::count_in_doubt(app)?, Attention::Doubtful),
        counted(disputes, Attention::Disputes),
        last.filter(|last| !last.agrees).map(|_| Attention::Differs),
        counted(waiting, Attention::WaitingEvents),
        counted(parked, Attention::Parked),
        counted(deliver::count(app)?.1, Attention::FailedLetters),
        clock::fault(app).map(Attention::Clock),
        (!missing.is_empty()).then_some(Attention::WithoutPrice(missing)),
        counted(i64::try_from(prices.len()).unwrap_or(i64::MAX), Attention::OtherPrices),
        match app.store.engine() {
            Engine::Sqlite => of_backup(app.store.read(backups::last)?, app.config.stripe.mode(), now),
            // The server's own tools make it, and till does not see it.
            Engine::Postgres => None,
        },
    ];
    let mut found: Vec<Attention> = some.into_iter().flatten().collect();
    found.extend(ending.map(|hook| Attention::EndingSecret(hook.url)));
    found.extend(app.config.warnings.iter().cloned().map(Attention::Configuration));
    Ok(found)
}

/// Books of test mode need no backup; one that was made once is made for a reason.
fn of_backup(last: Option<Backup>, mode: Option<Mode>, now: Timestamp) -> Option<Attention> {
    let Some(last) = last else { return (mode == Some(Mode::Live)).then_some(Attention::NoBackup) };
    let days = now.millis().saturating_sub(last.made_at.millis()) / (1000 * DAY_SECONDS);
    (days >= BACKUP_DAYS).then_some(Attention::OldBackup(days))
}
