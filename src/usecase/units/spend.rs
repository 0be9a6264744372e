//! The pipeline uses units: once for each idempotency key, for ever, and never more than there are.

use prometheus_client::metrics::counter::Counter;

use crate::app::App;
use crate::error::{Error, Fault, Refused, Result};
use crate::ledger::{self, Entry, Kind, Refusal, UNITS_LIMIT, Units};
use crate::store::{Tx, entries, users};

use crate::usecase::log_events;
use crate::usecase::units::grant::check_note;
use crate::usecase::units::posting::{self, PostingContext};

/// The most spends in one batch (contract, section 4).
pub const BATCH_LIMIT: usize = 1000;

/// What became of one row of a batch.
pub type Outcome<T> = std::result::Result<T, Refused>;

/// A use of units as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// Whose units.
    pub user_id: String,
    /// How many, from 1.
    pub units: Units,
    /// A sentence for people.
    pub note: Option<String>,
    /// 1 to 255 characters: the same key makes it happen once.
    pub key: String,
}

impl Spend {
    /// What was asked for, or what is wrong with it.
    pub fn new(user_id: String, units: i64, note: Option<String>, key: String) -> Result<Spend> {
        let units = units_of(units)?;
        note.as_deref().map(check_note).transpose()?;
        Ok(Spend { user_id, units, note, key })
    }
}

/// What a spend came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendResult {
    /// Whose ledger.
    pub user_id: String,
    /// The entry.
    pub entry: Entry,
    /// Whether it was made by an earlier call with the same key and body.
    pub replayed: bool,
}

/// Spends units. `then` hears of it once it is durable.
pub fn spend(app: &App, spend: Spend, then: impl FnOnce(Result<SpendResult>) + Send + 'static) {
    let (rules, topup_url, units_spent) = (PostingContext::now(app), topup_url(app), app.metrics.units_spent.clone());
    app.store.write_then(
        move |tx| {
            let mut rules = rules.clone();
            let spent = one(tx, &mut rules, &spend, &topup_url)?;
            Ok((spent, rules.to_log))
        },
        move |committed| {
            then(committed.map(|(spent, to_log)| {
                count(&units_spent, &spent);
                log_events::low_balances(&to_log);
                spent
            }));
        },
    );
}

/// Spends of any users, each with a result of its own, at the price of one transaction. A refused one does not hold up
/// the others. Where the database fails, all of them fail, and the same request again is safe.
pub fn batch(
    app: &App,
    spends: Vec<Outcome<Spend>>,
    then: impl FnOnce(Result<Vec<Outcome<SpendResult>>>) + Send + 'static,
) {
    let (rules, topup_url, units_spent) = (PostingContext::now(app), topup_url(app), app.metrics.units_spent.clone());
    app.store.write_then(
        move |tx| {
            let mut rules = rules.clone();
            let mut results = Vec::with_capacity(spends.len());
            for spend in &spends {
                let spent = spend.clone().map_err(Error::from);
                results.push(match spent.and_then(|spend| one(tx, &mut rules, &spend, &topup_url)) {
                    Ok(spent) => Ok(spent),
                    Err(Error::Refused(refused)) => Err(refused),
                    Err(fault) => return Err(fault),
                });
            }
            Ok((results, rules.to_log))
        },
        move |committed| {
            then(committed.map(|(results, to_log)| {
                results.iter().flatten().for_each(|spent| count(&units_spent, spent));
                log_events::low_balances(&to_log);
                results
            }));
        },
    );
}

/// One spend. It refuses before its first write, so that nothing of a refused one has to be undone.
fn one(tx: &mut dyn Tx, rules: &mut PostingContext, spend: &Spend, topup_url: &str) -> Result<SpendResult> {
    let Some(account) = posting::open_to_spend(tx, rules, &spend.user_id, spend.units.count())? else {
        return Err(users::unknown(&spend.user_id).into());
    };
    let reason = format!("spend_{}", spend.key);
    let wanted = ledger::Spend { units: spend.units, reason, note: spend.note.clone() };
    let posting = match ledger::spend(&account.account, wanted, rules.now) {
        Ok(posting) => posting,
        Err(refusal) => return replay(tx, account.account.number, spend)?.ok_or_else(|| refused(refusal, topup_url)),
    };
    match posting::post(tx, rules, &account, &posting, None)? {
        Some(entry) => Ok(SpendResult { user_id: spend.user_id.clone(), entry, replayed: false }),
        None => replay(tx, account.account.number, spend)?
            .ok_or_else(|| Fault::bare("the spend's reason is used up, but its entry is missing").into()),
    }
}

/// The entry that this key made, if it did. With another body it is refused.
fn replay(tx: &mut dyn Tx, account: i64, spend: &Spend) -> Result<Option<SpendResult>> {
    let Some(entry) = entries::by_reason(tx, account, &format!("spend_{}", spend.key))? else { return Ok(None) };
    if entry.kind != Kind::Spend || entry.delta != -spend.units.count() || entry.note != spend.note {
        return Err(key_reused(&spend.key, "spend").into());
    }
    Ok(Some(SpendResult { user_id: spend.user_id.clone(), entry, replayed: true }))
}

/// Where a user buys more.
pub(crate) fn topup_url(app: &App) -> String {
    app.url("/dashboard")
}

/// A number of units as it was given, or what is wrong with it.
pub(crate) fn units_of(units: i64) -> Result<Units> {
    let expected = || format!("units is {units}: a whole number from 1 to {UNITS_LIMIT} was expected.");
    Ok(Units::new(units).ok_or_else(|| Refused::InvalidRequest(expected()))?)
}

pub(crate) fn key_reused(key: &str, what: &str) -> Refused {
    Refused::IdempotencyKeyReused(format!("The key {key:?} was used for another {what} of this user. Use a new key."))
}

pub(crate) fn refused(refusal: Refusal, topup_url: &str) -> Error {
    match refusal {
        Refusal::InsufficientUnits { required, available } => {
            Refused::InsufficientUnits { required, available, topup_url: topup_url.to_owned() }.into()
        }
        other => posting::refused(other),
    }
}

fn count(units_spent: &Counter, spent: &SpendResult) {
    if !spent.replayed {
        units_spent.inc_by(spent.entry.delta.unsigned_abs());
    }
}
