//! An operator gives units, or corrects a balance: once for each idempotency key, for ever.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Fault, Refused, Result};
use crate::ledger::{self, Credit, Entry, Kind, UNITS_LIMIT, Units};
use crate::store::users::User;
use crate::store::{entries, users};

use crate::usecase::log_events;
use crate::usecase::units::posting;

/// The most characters of a note.
pub const NOTE_LIMIT: usize = 500;

/// A grant as it was asked for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Positive: a gift. Negative: a correction, which may end in a debt.
    pub units: i64,
    /// Why, for people.
    pub note: String,
    /// When the lot expires.
    pub expires_at: Option<Timestamp>,
    /// 1 to 255 characters: the same key makes it happen once.
    pub key: String,
}

/// What an idempotent call answers.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Whose ledger.
    pub user: User,
    /// The entry.
    pub entry: Entry,
    /// Whether it was made by an earlier call with the same key and body.
    pub replayed: bool,
}

/// Grants units to a user. The same key and grant again answers the first entry; the same key with another grant is
/// refused.
pub fn grant(app: &App, id: &str, grant: &Grant) -> Result<Receipt> {
    let moved = Units::new(grant.units.saturating_abs()).ok_or_else(|| {
        let detail =
            format!("units is {}: a whole number from 1 to {UNITS_LIMIT}, or its negative, was expected.", grant.units);
        Refused::InvalidRequest(detail)
    })?;
    check_note(&grant.note)?;
    let now = app.clock.now();
    if grant.expires_at.is_some_and(|at| at <= now && grant.units > 0) {
        return expired_grant(app, id, grant);
    }
    if grant.expires_at.is_some() && grant.units < 0 {
        return Err(Refused::InvalidRequest("expires_at goes with positive units only.".into()).into());
    }
    let (id, grant, rules) = (id.to_owned(), grant.clone(), posting::PostingContext::of(&app.catalog, now));
    let (receipt, to_log) = app.store.write(move |tx| {
        let mut rules = rules.clone();
        let user = users::by_id(tx, &id)?;
        let reason = format!("grant_{}", grant.key);
        if let Some(entry) = entries::by_reason(tx, user.account, &reason)? {
            return Ok((replay(user, entry, &grant)?, vec![]));
        }
        let account = posting::open(tx, &mut rules, user.account, None)?;
        let note = Some(grant.note.clone());
        let posting = if grant.units > 0 {
            let credit = Credit { kind: Kind::Grant, units: moved, reason, note, expires_at: grant.expires_at };
            ledger::credit(&account.account, credit, now)
        } else {
            ledger::correct(&account.account, Kind::Grant, moved, reason, note, now)
        };
        let posting = posting.map_err(posting::refused)?;
        let entry = posting::post(tx, &mut rules, &account, &posting, None)?
            .ok_or_else(|| Fault::bare("a grant with this key appeared meanwhile").retryable())?;
        Ok((Receipt { user, entry, replayed: false }, rules.to_log))
    })?;
    if !receipt.replayed {
        let (user_id, units, entry) = (&receipt.user.id, receipt.entry.delta, receipt.entry.id());
        tracing::info!(event = "units_granted", user_id, units, entry, balance = receipt.entry.balance_after);
        log_events::credited(app, Kind::Grant, units);
    }
    log_events::low_balances(&to_log);
    Ok(receipt)
}

/// A grant whose expiry has passed: a repetition of an earlier call is still answered, a new one is refused.
fn expired_grant(app: &App, id: &str, grant: &Grant) -> Result<Receipt> {
    let found = app.store.read(|tx| {
        let user = users::by_id(tx, id)?;
        Ok(entries::by_reason(tx, user.account, &format!("grant_{}", grant.key))?.map(|entry| (user, entry)))
    })?;
    match found {
        Some((user, entry)) => replay(user, entry, grant),
        None => Err(Refused::InvalidRequest("expires_at has passed: a time to come was expected.".into()).into()),
    }
}

fn replay(user: User, entry: Entry, grant: &Grant) -> Result<Receipt> {
    let same = entry.delta == grant.units
        && entry.note.as_deref() == Some(grant.note.as_str())
        && entry.expires_at == grant.expires_at;
    if !same {
        let detail = format!("The key {:?} was used for another grant of this user. Use a new key.", grant.key);
        return Err(Refused::IdempotencyKeyReused(detail).into());
    }
    Ok(Receipt { user, entry, replayed: true })
}

/// A note's rule: 1 to [`NOTE_LIMIT`] characters that people can read.
pub fn check_note(note: &str) -> Result<()> {
    let length = note.chars().count();
    if note.trim().is_empty() || length > NOTE_LIMIT || note.chars().any(|c| c.is_control() && c != '\n') {
        let expected = format!("1 to {NOTE_LIMIT} characters without control characters were expected");
        return Err(Refused::InvalidRequest(format!("note has {length} characters: {expected}.")).into());
    }
    Ok(())
}
