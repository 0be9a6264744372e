//! The way into the books for every use case that moves units: first whatever has ended on the account is closed, then the
//! posting is stored whole.

use std::sync::Arc;

use crate::actor::Actor;
use crate::app::App;
use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::error::{Error, Fault, Refused, Result};
use crate::ledger::{Account, Entry, Kind, LotChange, Posting, Refusal, end_grace, expire, extend, release};
use crate::mail::letter::Letter;
use crate::notification::body::LowBalance;
use crate::store::entries::{AccountRow, LoadedAccount};
use crate::store::{AccountName, Tx, entries, holds};

use crate::usecase::log_events;
use crate::usecase::mail;
use crate::usecase::notifications::enqueue;
use crate::usecase::units::grace;

/// What every movement in one transaction has in common, and what they leave to be logged: see [`write`].
#[derive(Clone, Debug)]
pub struct PostingContext {
    /// The time of all of them.
    pub now: Timestamp,
    /// The installation's threshold of a low balance, for users without one of their own.
    pub low_balance: i64,
    /// Who makes them.
    pub actor: Actor,
    /// Says which plans' units wait for the next period's.
    pub(crate) catalog: Arc<Catalog>,
    /// Balances that fell below their threshold: the use case logs them after the commit.
    pub(crate) to_log: Vec<LowBalance>,
}

impl PostingContext {
    /// With this catalogue's threshold. [`write`] names the actor; what is posted without it, Stripe asked for.
    pub fn of(catalog: &Catalog, now: Timestamp) -> PostingContext {
        PostingContext::shared(Arc::new(catalog.clone()), now)
    }

    /// With this appliance's threshold and time.
    pub fn now(app: &App) -> PostingContext {
        PostingContext::shared(Arc::clone(&app.catalog), app.clock.now())
    }

    fn shared(catalog: Arc<Catalog>, now: Timestamp) -> PostingContext {
        PostingContext { now, low_balance: catalog.low_balance, catalog, actor: Actor::stripe(), to_log: vec![] }
    }
}

/// Runs `work` in a write transaction, and logs after the commit what its postings leave to be logged.
pub(crate) fn write<T, F>(app: &App, context: PostingContext, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnMut(&mut dyn Tx, &mut PostingContext) -> Result<T> + Send + 'static,
{
    let context = PostingContext { actor: app.actor().clone(), ..context };
    let (value, to_log) = app.store.write(in_context(context, work))?;
    log_events::low_balances(&to_log);
    Ok(value)
}

/// The same without waiting, for movements of these accounts alone: `then` gets the result after the commit, on the writer's
/// thread. `read_ahead` asks for the rows that `work` will need, and is run where they are not in memory.
pub(crate) fn write_then<T, R, F, A>(
    app: &App,
    accounts: Vec<AccountName>,
    context: PostingContext,
    read_ahead: R,
    work: F,
    then: A,
) where
    T: Send + 'static,
    R: FnOnce(&mut dyn Tx) -> Result<()> + Send + 'static,
    F: FnMut(&mut dyn Tx, &mut PostingContext) -> Result<T> + Send + 'static,
    A: FnOnce(Result<T>) + Send + 'static,
{
    let context = PostingContext { actor: app.actor().clone(), ..context };
    app.store.write_of_accounts(accounts, read_ahead, in_context(context, work), |committed| {
        then(committed.map(|(value, to_log)| {
            log_events::low_balances(&to_log);
            value
        }));
    });
}

/// A write closure may run again, so each run gets a context of its own.
fn in_context<T>(
    context: PostingContext,
    mut work: impl FnMut(&mut dyn Tx, &mut PostingContext) -> Result<T>,
) -> impl FnMut(&mut dyn Tx) -> Result<(T, Vec<LowBalance>)> {
    move |tx| {
        let mut context = context.clone();
        let value = work(tx, &mut context)?;
        Ok((value, context.to_log))
    }
}

/// The account as it is now: holds and lots that have ended are closed before anything else happens. With `payment` the
/// lots that it bought are loaded too, open or not: a reversal concerns them.
pub(crate) fn open(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    number: i64,
    payment: Option<&str>,
) -> Result<LoadedAccount> {
    let row = entries::find(tx, number)?.ok_or_else(|| missing(number))?;
    load_and_close_due(tx, context, row, payment)
}

/// The same of a user's account. `None` when there is no such user.
pub(crate) fn open_of_user(tx: &mut dyn Tx, context: &mut PostingContext, id: &str) -> Result<Option<LoadedAccount>> {
    let Some(row) = entries::find_of_user(tx, id)? else { return Ok(None) };
    load_and_close_due(tx, context, row, None).map(Some)
}

/// The account of a user for one spend of so many units: its row alone is mostly enough.
pub(crate) fn open_to_spend(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    id: &str,
    units: i64,
) -> Result<Option<LoadedAccount>> {
    let Some(row) = entries::find_of_user(tx, id)? else { return Ok(None) };
    if row.front_covers(units, context.now) {
        return Ok(Some(row.with_front_only()));
    }
    load_and_close_due(tx, context, row, None).map(Some)
}

/// Stores a posting, and the messages that report it; `None` when its reason was used before. `payment` is what bought
/// the lot that the posting opens.
pub(crate) fn post(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    before: &LoadedAccount,
    posting: &Posting,
    payment: Option<&str>,
) -> Result<Option<Entry>> {
    if !entries::post(tx, before, posting, payment, &context.actor)? {
        return Ok(None);
    }
    let threshold = before.low_balance.unwrap_or(context.low_balance);
    let low = enqueue::enqueue_for_entry(tx, context.now, &posting.entry, threshold, payment)?;
    if let Some(LowBalance { remaining, threshold, .. }) = low {
        let reason = format!("low_balance_{}_{}", posting.entry.account, posting.entry.seq);
        let letter = Letter::LowBalance { remaining, threshold };
        let at = (context.now, context.now);
        mail::tell(tx, &context.catalog, at, posting.entry.account, &reason, &letter)?;
    }
    context.to_log.extend(low);
    if posting.entry.kind == Kind::Subscription && posting.entry.delta > 0 {
        end_graces(tx, context, posting.entry.account)?;
    }
    Ok(Some(posting.entry.clone()))
}

/// Expires the lots that lived on after their period, and whose successor has come or whose plan is kept no longer. Call
/// it after either; the account must then be loaded again.
pub(crate) fn end_graces(tx: &mut dyn Tx, context: &mut PostingContext, account: i64) -> Result<()> {
    let mut loaded = entries::load(tx, account, None)?;
    for lot in loaded.account.lots.clone() {
        if lot.grace_until.is_some() && grace::grace_of(tx, &context.catalog, account, &lot)?.is_none() {
            let after = end_grace(&loaded.account, lot.seq).map_err(impossible)?;
            keep(tx, &mut loaded, after, context.now)?;
        }
    }
    let row = entries::find(tx, account)?.ok_or_else(|| missing(account))?;
    load_and_close_due(tx, context, row, None).map(drop)
}

fn missing(account: i64) -> Fault {
    Fault::bare(format!("account {account} is missing"))
}

/// The refusal of a movement that a request asked for. Only the limit of the balance can be the request's doing.
pub(crate) fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::BalanceLimit => {
            Refused::InvalidRequest("The balance would pass the most that an account may hold.".into()).into()
        }
        other => impossible(other).into(),
    }
}

/// A refusal by the ledger that no request can cause.
pub(crate) fn impossible(refusal: Refusal) -> Fault {
    Fault::bare(format!("the ledger refused a movement that must succeed: {refusal:?}"))
}

/// Closes holds first, because the units that they give back may belong to a lot that has ended too.
fn load_and_close_due(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    row: AccountRow,
    payment: Option<&str>,
) -> Result<LoadedAccount> {
    let is_due = row.next_due.is_some_and(|due| due <= context.now);
    let mut loaded = row.with_lots(tx, payment)?;
    if !is_due || !tx.is_time_plausible() {
        return Ok(loaded);
    }
    while let Some(hold) = holds::claim_over(tx, loaded.account.number, context.now)? {
        let parts = holds::parts(tx, loaded.account.number, hold)?;
        let after = release(&loaded.account, &parts).map_err(impossible)?;
        keep(tx, &mut loaded, after, context.now)?;
    }
    for lot in loaded.account.lots.clone() {
        let number = loaded.account.number;
        if lot.remaining > 0
            && lot.grace_until.is_none()
            && lot.is_over(context.now)
            && let Some(until) = grace::grace_of(tx, &context.catalog, number, &lot)?.filter(|at| *at > context.now)
        {
            let after = extend(&loaded.account, lot.seq, until).map_err(impossible)?;
            keep(tx, &mut loaded, after, context.now)?;
        }
    }
    // Time does this, and not the caller.
    let caller = std::mem::replace(&mut context.actor, Actor::till());
    while let Some(posting) = expire(&loaded.account, context.now) {
        let posting = posting.map_err(impossible)?;
        post(tx, context, &loaded, &posting, None)?.ok_or_else(|| Fault::bare("a lot expired twice"))?;
        loaded.account = posting.after;
    }
    context.actor = caller;
    Ok(loaded)
}

/// Stores a change of an account that makes no entry.
fn keep(tx: &mut dyn Tx, loaded: &mut LoadedAccount, after: Account, now: Timestamp) -> Result<()> {
    entries::store(tx, loaded, &after, None, LotChange::Hold(now))?;
    loaded.account = after;
    Ok(())
}
