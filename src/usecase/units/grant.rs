//! An operator gives units, or corrects a balance: once for each idempotency key, for ever.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Fault, Refused, Result};
use crate::ledger::{self, Credit, Entry, Kind, UNITS_LIMIT, Units};
use crate::store::users::User;
use crate::store::{audit, entries, users};

use crate::usecase::log_events;
use crate::usecase::units::posting::{self, PostingContext};
use crate::usecase::units::request::{IdempotencyKey, Note};

/// A gift or a correction, checked.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Positive: a gift. Negative: a correction, which may leave a debt.
    delta: i64,
    /// The size of `delta`.
    units: Units,
    note: Note,
    /// When the lot expires; for gifts only.
    expires_at: Option<Timestamp>,
    key: IdempotencyKey,
}

impl GrantRequest {
    /// Checks units and note; the refusal says what is wrong with them.
    pub fn new(
        units: i64,
        note: String,
        expires_at: Option<Timestamp>,
        key: IdempotencyKey,
    ) -> Result<GrantRequest, Refused> {
        let size = Units::new(units.saturating_abs()).ok_or_else(|| {
            let expected = format!("a whole number from 1 to {UNITS_LIMIT}, or its negative, was expected");
            Refused::InvalidRequest(format!("units is {units}: {expected}."))
        })?;
        let note = Note::parse(note)?;
        Ok(GrantRequest { delta: units, units: size, note, expires_at, key })
    }

    fn is_gift(&self) -> bool {
        self.delta > 0
    }

    fn reason(&self) -> String {
        format!("grant_{}", self.key)
    }
}

/// The entry that a grant made, now or by an earlier call.
#[derive(Clone, Debug)]
pub struct GrantResult {
    pub user: User,
    pub entry: Entry,
    /// Whether an earlier call with the same key and body made the entry.
    pub replayed: bool,
}

/// Grants units to a user. The same key and grant again answers the first entry; the same key with another grant is
/// refused.
pub fn grant(app: &App, user_id: &str, request: &GrantRequest) -> Result<GrantResult> {
    let now = app.clock.now();
    if request.is_gift() && request.expires_at.is_some_and(|at| at <= now) {
        return expired_grant(app, user_id, request);
    }
    if !request.is_gift() && request.expires_at.is_some() {
        return Err(Refused::InvalidRequest("expires_at goes with positive units only.".into()).into());
    }
    let user_id = user_id.to_owned();
    let request = request.clone();
    let context = PostingContext::of(&app.catalog, now);
    let result = posting::write(app, context, move |tx, context| {
        let user = users::by_id(tx, &user_id)?;
        if let Some(entry) = entries::by_reason(tx, user.account, &request.reason())? {
            return replay(user, entry, &request);
        }
        let account = posting::open(tx, context, user.account, None)?;
        let units = request.units;
        let reason = request.reason();
        let note = Some(request.note.to_entry_note()?);
        let posting = if request.is_gift() {
            let credit = Credit { kind: Kind::Grant, units, reason, note, expires_at: request.expires_at, cost: None };
            ledger::credit(&account.account, credit, now)
        } else {
            ledger::correct(&account.account, Kind::Grant, units, reason, note, now)
        };
        let posting = posting.map_err(posting::refused)?;
        let entry = posting::post(tx, context, &account, &posting, None)?
            .ok_or_else(|| Fault::bare("a grant with this key appeared meanwhile").retryable())?;
        audit::add(tx, (&context.actor, now), "units_granted", Some(&user.id), Some(&entry.id()))?;
        Ok(GrantResult { user, entry, replayed: false })
    })?;
    if !result.replayed {
        let entry = &result.entry;
        tracing::info!(
            event = "units_granted",
            actor = app.actor().name(),
            user_id = result.user.id,
            units = entry.delta,
            entry = entry.id(),
            balance = entry.balance_after
        );
        log_events::credited(app, Kind::Grant, entry.delta);
    }
    Ok(result)
}

/// A gift whose expiry has passed: a repetition of an earlier call is still answered, a new one is refused.
fn expired_grant(app: &App, user_id: &str, request: &GrantRequest) -> Result<GrantResult> {
    let earlier = app.store.read(|tx| {
        let user = users::by_id(tx, user_id)?;
        Ok(entries::by_reason(tx, user.account, &request.reason())?.map(|entry| (user, entry)))
    })?;
    match earlier {
        Some((user, entry)) => replay(user, entry, request),
        None => Err(Refused::InvalidRequest("expires_at has passed: a time to come was expected.".into()).into()),
    }
}

fn replay(user: User, entry: Entry, request: &GrantRequest) -> Result<GrantResult> {
    let is_same = entry.delta == request.delta
        && entry.may_have_note(Some(request.note.as_str()))
        && entry.expires_at == request.expires_at;
    if !is_same {
        return Err(request.key.reused("grant").into());
    }
    Ok(GrantResult { user, entry, replayed: true })
}
