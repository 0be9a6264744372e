//! The pipeline sets units aside for work under way, and then uses them or gives them back. A hold is closed once: by a
//! capture, a release, or its time.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Fault, Refused, Result};
use crate::ledger::{self, Capture, Units};
use crate::store::entries::{self, LoadedAccount};
use crate::store::holds::{self, Hold, HoldEnd, parse_hold_id};
use crate::store::{Tx, users};

use crate::usecase::log_events;
use crate::usecase::units::grant::check_note;
use crate::usecase::units::posting::{self, PostingContext};
use crate::usecase::units::spend::{key_reused, refused, topup_url, units_of};

/// How long a hold lasts where nothing is said, in seconds (contract, section 4).
pub const DEFAULT_SECONDS: i64 = 900;
/// The longest that a hold may last, in seconds.
pub const SECONDS_LIMIT: i64 = 86_400;

/// A hold as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    /// Whose units.
    pub user_id: String,
    /// How many, from 1.
    pub units: Units,
    /// How long it lasts.
    pub seconds: i64,
    /// A sentence for people; the ledger's note when it is captured.
    pub note: Option<String>,
    /// 1 to 255 characters: the same key makes it happen once.
    pub key: String,
}

impl HoldRequest {
    /// What was asked for, or what is wrong with it.
    pub fn new(
        user_id: String,
        units: i64,
        seconds: Option<i64>,
        note: Option<String>,
        key: String,
    ) -> Result<HoldRequest> {
        let (units, seconds) = (units_of(units)?, seconds.unwrap_or(DEFAULT_SECONDS));
        if !(1..=SECONDS_LIMIT).contains(&seconds) {
            let expected = format!("a whole number of seconds from 1 to {SECONDS_LIMIT} was expected");
            return Err(Refused::InvalidRequest(format!("expires_in is {seconds}: {expected}.")).into());
        }
        note.as_deref().map(check_note).transpose()?;
        Ok(HoldRequest { user_id, units, seconds, note, key })
    }
}

/// What a call on a hold came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whose units.
    pub user_id: String,
    /// The hold.
    pub hold: Hold,
    /// Whether an earlier call did the same.
    pub replayed: bool,
}

/// How a hold is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Its units are used: so many, or all.
    Capture(Option<Units>),
    /// They are given back.
    Release,
}

impl Closing {
    /// A capture of so many units, or all; or what is wrong with it.
    pub fn capture(units: Option<i64>) -> Result<Closing> {
        Ok(Closing::Capture(units.map(units_of).transpose()?))
    }
}

/// Sets units aside. `then` hears of it once it is durable.
pub fn hold(app: &App, wanted: HoldRequest, then: impl FnOnce(Result<Receipt>) + Send + 'static) {
    let (rules, topup_url) = (PostingContext::now(app), topup_url(app));
    app.store.write_then(
        move |tx| {
            let mut rules = rules.clone();
            let receipt = make(tx, &mut rules, &wanted, &topup_url)?;
            Ok((receipt, rules.to_log))
        },
        move |committed| {
            then(committed.map(|(receipt, to_log)| {
                log_events::low_balances(&to_log);
                receipt
            }));
        },
    );
}

/// Captures or releases a hold. The same call again answers the same; a different one on a closed hold is refused.
pub fn close(app: &App, id: &str, closing: Closing, then: impl FnOnce(Result<Receipt>) + Send + 'static) {
    let place = match place(id) {
        Ok(place) => place,
        Err(error) => return then(Err(error)),
    };
    let (rules, units_spent) = (PostingContext::now(app), app.metrics.units_spent.clone());
    app.store.write_then(
        move |tx| {
            let mut rules = rules.clone();
            let receipt = end(tx, &mut rules, place, closing)?;
            Ok((receipt, rules.to_log))
        },
        move |committed| {
            then(committed.map(|(receipt, to_log)| {
                if !receipt.replayed {
                    units_spent.inc_by(receipt.hold.captured.unsigned_abs());
                }
                log_events::low_balances(&to_log);
                receipt
            }));
        },
    );
}

/// A hold as it is now: one whose time is over has expired, also before it is swept.
pub fn show(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<Receipt> {
    let (account, number) = place(id)?;
    let mut hold = holds::find(tx, account, number)?.ok_or_else(|| no_such_hold(id))?;
    if hold.closed.is_none() && hold.expires_at <= now {
        hold.closed = Some(HoldEnd::Expired);
    }
    Ok(Receipt { user_id: users::by_account(tx, account)?.id, hold, replayed: false })
}

fn make(tx: &mut dyn Tx, rules: &mut PostingContext, wanted: &HoldRequest, topup_url: &str) -> Result<Receipt> {
    let Some(account) = posting::open_of_user(tx, rules, &wanted.user_id)? else {
        return Err(users::unknown(&wanted.user_id).into());
    };
    let user_id = wanted.user_id.clone();
    if let Some(hold) = holds::by_key(tx, account.account.number, &wanted.key)? {
        let seconds = (hold.expires_at.millis() - hold.created_at.millis()) / 1000;
        if (hold.units, seconds, &hold.note) != (wanted.units.count(), wanted.seconds, &wanted.note) {
            return Err(key_reused(&wanted.key, "hold").into());
        }
        // The first answer again: what became of the hold since is asked for by its id.
        return Ok(Receipt { user_id, hold: Hold { captured: 0, closed: None, ..hold }, replayed: true });
    }
    let held =
        ledger::hold(&account.account, wanted.units, rules.now).map_err(|refusal| refused(refusal, topup_url))?;

    let times = [rules.now, rules.now.plus_seconds(wanted.seconds)];
    let hold = holds::add(tx, account.account.number, &wanted.key, &held.parts, wanted.note.as_deref(), times)?;
    entries::store(tx, &account, &held.after, None)?;
    Ok(Receipt { user_id, hold, replayed: false })
}

fn end(tx: &mut dyn Tx, rules: &mut PostingContext, (number, hold): (i64, i64), closing: Closing) -> Result<Receipt> {
    let id = holds::hold_id(number, hold);
    let Some(known) = holds::find(tx, number, hold)? else { return Err(no_such_hold(&id).into()) };
    let user_id = users::by_account(tx, number)?.id;
    if let Some(ended) = known.closed {
        let same = match closing {
            Closing::Capture(units) => {
                ended == HoldEnd::Captured && known.captured == units.map_or(known.units, Units::count)
            }
            Closing::Release => ended == HoldEnd::Released,
        };
        return if same { Ok(Receipt { user_id, hold: known, replayed: true }) } else { Err(not_open(&known).into()) };
    }
    let units = match closing {
        Closing::Capture(units) => units.map_or(known.units, Units::count),
        Closing::Release => 0,
    };
    if units > known.units {
        let detail = format!("units is {units}, and {id} holds {}: at most that many were expected.", known.units);
        return Err(Refused::InvalidRequest(detail).into());
    }
    if known.expires_at <= rules.now {
        return Err(not_open(&Hold { closed: Some(HoldEnd::Expired), ..known }).into());
    }

    let account = posting::open(tx, rules, number, None)?;
    let closed = match Units::new(units) {
        Some(units) => capture(tx, rules, &account, &known, units)?,
        None => release(tx, rules.now, &account, &known)?,
    };
    Ok(Receipt { user_id, hold: closed, replayed: false })
}

fn capture(
    tx: &mut dyn Tx,
    rules: &mut PostingContext,
    account: &LoadedAccount,
    hold: &Hold,
    units: Units,
) -> Result<Hold> {
    let parts = holds::parts(tx, hold.account, hold.number)?;
    let wanted = Capture { units, reason: format!("hold_{}", hold.id()), note: hold.note.clone() };
    let posting = ledger::capture(&account.account, &parts, wanted, rules.now).map_err(posting::impossible)?;
    if !holds::claim_capture(tx, hold, units.count(), rules.now)? {
        return Err(Fault::bare("a hold was closed meanwhile").retryable().into());
    }
    posting::post(tx, rules, account, &posting, None)?
        .ok_or_else(|| Fault::bare(format!("{} was captured before it was closed", hold.id())))?;
    Ok(Hold { captured: units.count(), closed: Some(HoldEnd::Captured), ..hold.clone() })
}

fn release(tx: &mut dyn Tx, now: Timestamp, account: &LoadedAccount, hold: &Hold) -> Result<Hold> {
    let parts = holds::parts(tx, hold.account, hold.number)?;
    let after = ledger::release(&account.account, &parts).map_err(posting::impossible)?;
    if !holds::claim_release(tx, hold, now)? {
        return Err(Fault::bare("a hold was closed meanwhile").retryable().into());
    }
    entries::store(tx, account, &after, None)?;
    Ok(Hold { closed: Some(HoldEnd::Released), ..hold.clone() })
}

fn place(id: &str) -> Result<(i64, i64)> {
    parse_hold_id(id).ok_or_else(|| no_such_hold(id).into())
}

fn no_such_hold(id: &str) -> Refused {
    let shown: String = id.chars().take(60).collect();
    Refused::NotFound(format!("There is no hold {shown:?}."))
}

fn not_open(hold: &Hold) -> Refused {
    let how = match hold.closed {
        Some(HoldEnd::Captured) => format!("was captured with {} units", hold.captured),
        Some(HoldEnd::Released) => "was released".to_owned(),
        Some(HoldEnd::Expired) | None => "has expired, and its units went back".to_owned(),
    };
    Refused::HoldNotOpen(format!("The hold {} {how}.", hold.id()))
}
