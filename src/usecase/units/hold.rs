//! A program sets units aside for work under way, and then uses them or gives them back. A hold is closed once: by a
//! capture, a release, or its expiry.

use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::{Fault, Refused, Result};
use crate::ledger::{self, Capture, LotChange, Units};
use crate::store::entries::{self, LoadedAccount, Lots};
use crate::store::holds::{self, Hold, HoldEnd, parse_hold_id};
use crate::store::{AccountName, Tx, users};

use crate::usecase::units::posting::{self, PostingContext};
use crate::usecase::units::request::{IdempotencyKey, Note, entry_note, parse_units, refused};

/// How long a hold lasts when the request does not say, in seconds.
pub const DEFAULT_SECONDS: i64 = 900;
/// The longest that a hold may last, in seconds.
pub const SECONDS_LIMIT: i64 = DAY_SECONDS;

/// A hold as a caller asks for it, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    pub user_id: String,
    pub units: Units,
    /// How long it lasts.
    pub seconds: i64,
    /// The entry's note when the hold is captured.
    pub note: Option<Note>,
    pub key: IdempotencyKey,
}

impl HoldRequest {
    /// Checks units, seconds and note; the refusal says what is wrong with them.
    pub fn new(
        user_id: String,
        units: i64,
        seconds: Option<i64>,
        note: Option<String>,
        key: IdempotencyKey,
    ) -> Result<HoldRequest, Refused> {
        let units = parse_units(units)?;
        let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
        if !(1..=SECONDS_LIMIT).contains(&seconds) {
            let expected = format!("a whole number of seconds from 1 to {SECONDS_LIMIT} was expected");
            return Err(Refused::InvalidRequest(format!("expires_in is {seconds}: {expected}.")));
        }
        let note = note.map(Note::parse).transpose()?;
        Ok(HoldRequest { user_id, units, seconds, note, key })
    }

    /// Whether the hold is what this request asks for.
    fn matches(&self, hold: &Hold) -> bool {
        let seconds = (hold.expires_at.millis() - hold.created_at.millis()) / 1000;
        hold.units == self.units.count()
            && seconds == self.seconds
            && match hold.note_erased_at {
                // Nobody can tell any more what it said.
                Some(_) => self.note.is_some(),
                None => hold.note.as_deref() == self.note.as_ref().map(Note::as_str),
            }
    }
}

/// A hold after a call on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldResult {
    pub user_id: String,
    pub hold: Hold,
    /// Whether an earlier call did the same.
    pub replayed: bool,
}

/// How a hold is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// So many of its units are used, or all; the rest goes back.
    Capture(Option<Units>),
    /// All of its units go back.
    Release,
}

impl Closing {
    /// A capture of so many units, or of all.
    pub fn capture(units: Option<i64>) -> Result<Closing, Refused> {
        Ok(Closing::Capture(units.map(parse_units).transpose()?))
    }

    /// Whether the hold was closed in just this way.
    fn matches(self, hold: &Hold) -> bool {
        match self {
            Closing::Capture(units) => {
                hold.closed == Some(HoldEnd::Captured) && hold.captured == units.map_or(hold.units, Units::count)
            }
            Closing::Release => hold.closed == Some(HoldEnd::Released),
        }
    }
}

/// Sets units aside. `then` gets the result after the commit.
pub fn hold(app: &App, request: HoldRequest, then: impl FnOnce(Result<HoldResult>) + Send + 'static) {
    let context = PostingContext::now(app);
    let topup_url = app.topup_url();
    let (user, key) = (request.user_id.clone(), request.key.to_string());
    let read_ahead = move |tx: &mut dyn Tx| entries::read_ahead(tx, &user, &key, Lots::All);
    let accounts = vec![AccountName::User(request.user_id.clone())];
    let work = move |tx: &mut dyn Tx, context: &mut PostingContext| create(tx, context, &request, &topup_url);
    posting::write_then(app, accounts, context, read_ahead, work, then);
}

/// Captures or releases a hold. The same call again answers the same; a different one on a closed hold is refused. `then`
/// gets the result after the commit.
pub fn close(app: &App, id: &str, closing: Closing, then: impl FnOnce(Result<HoldResult>) + Send + 'static) {
    let (account, number) = match parse_id(id) {
        Ok(numbers) => numbers,
        Err(error) => return then(Err(error)),
    };
    let context = PostingContext::now(app);
    let units_spent = app.metrics.units_spent.clone();
    posting::write_then(
        app,
        vec![AccountName::Number(account)],
        context,
        move |tx| holds::find(tx, account, number).and_then(|_| entries::load(tx, account, None)).map(drop),
        move |tx, context| close_in(tx, context, account, number, closing),
        move |result| {
            if let Ok(HoldResult { hold, replayed: false, .. }) = &result {
                units_spent.inc_by(hold.captured.unsigned_abs());
            }
            then(result);
        },
    );
}

/// A hold as it is now: it has expired once its time has passed, even before the worker closes it.
pub fn show(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<HoldResult> {
    let (account, number) = parse_id(id)?;
    let mut hold = holds::find(tx, account, number)?.ok_or_else(|| no_such_hold(id))?;
    if hold.closed.is_none() && hold.expires_at <= now {
        hold.closed = Some(HoldEnd::Expired);
    }
    Ok(HoldResult { user_id: users::by_account(tx, account)?.id, hold, replayed: false })
}

fn create(tx: &mut dyn Tx, context: &mut PostingContext, request: &HoldRequest, topup_url: &str) -> Result<HoldResult> {
    let Some(account) = posting::open_of_user(tx, context, &request.user_id)? else {
        return Err(users::unknown(&request.user_id).into());
    };
    let user_id = request.user_id.clone();
    if let Some(hold) = holds::by_key(tx, account.account.number, request.key.as_str())? {
        if !request.matches(&hold) {
            return Err(request.key.reused("hold").into());
        }
        // The first answer again: what became of the hold since is asked for by its id.
        return Ok(HoldResult { user_id, hold: Hold { captured: 0, closed: None, ..hold }, replayed: true });
    }
    let held =
        ledger::hold(&account.account, request.units, context.now).map_err(|refusal| refused(refusal, topup_url))?;

    let times = [context.now, context.now.plus_seconds(request.seconds)];
    let note = request.note.as_ref().map(Note::as_str);
    let hold = holds::add(tx, account.account.number, request.key.as_str(), &held.parts, note, times)?;
    entries::store(tx, &account, &held.after, None, LotChange::Hold(context.now))?;
    Ok(HoldResult { user_id, hold, replayed: false })
}

fn close_in(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    account: i64,
    number: i64,
    closing: Closing,
) -> Result<HoldResult> {
    let id = holds::hold_id(account, number);
    let Some(hold) = holds::find(tx, account, number)? else { return Err(no_such_hold(&id).into()) };
    let user_id = users::by_account(tx, account)?.id;
    if hold.closed.is_some() {
        if !closing.matches(&hold) {
            return Err(not_open(&hold).into());
        }
        return Ok(HoldResult { user_id, hold, replayed: true });
    }
    let units = match closing {
        Closing::Capture(units) => units.map_or(hold.units, Units::count),
        Closing::Release => 0,
    };
    if units > hold.units {
        let detail = format!("units is {units}, and {id} holds {}: at most that many were expected.", hold.units);
        return Err(Refused::InvalidRequest(detail).into());
    }
    if hold.expires_at <= context.now {
        return Err(not_open(&Hold { closed: Some(HoldEnd::Expired), ..hold }).into());
    }

    let account = posting::open(tx, context, account, None)?;
    let hold = match Units::new(units) {
        Some(units) => capture(tx, context, &account, &hold, units)?,
        None => release(tx, context, &account, &hold)?,
    };
    Ok(HoldResult { user_id, hold, replayed: false })
}

fn capture(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    account: &LoadedAccount,
    hold: &Hold,
    units: Units,
) -> Result<Hold> {
    let parts = holds::parts(tx, hold.account, hold.number)?;
    let note = hold.note.as_deref().map(entry_note).transpose()?;
    let request = Capture { units, reason: format!("hold_{}", hold.id()), note };
    let posting = ledger::capture(&account.account, &parts, request, context.now).map_err(posting::impossible)?;
    if !holds::claim_capture(tx, hold, units.count(), context.now)? {
        return Err(Fault::bare("a hold was closed meanwhile").retryable().into());
    }
    posting::post(tx, context, account, &posting, None)?
        .ok_or_else(|| Fault::bare(format!("{} was captured before it was closed", hold.id())))?;
    Ok(Hold { captured: units.count(), closed: Some(HoldEnd::Captured), ..hold.clone() })
}

fn release(tx: &mut dyn Tx, context: &mut PostingContext, account: &LoadedAccount, hold: &Hold) -> Result<Hold> {
    let parts = holds::parts(tx, hold.account, hold.number)?;
    let after = ledger::release(&account.account, &parts).map_err(posting::impossible)?;
    if !holds::claim_release(tx, hold, context.now)? {
        return Err(Fault::bare("a hold was closed meanwhile").retryable().into());
    }
    entries::store(tx, account, &after, None, LotChange::Hold(context.now))?;
    Ok(Hold { closed: Some(HoldEnd::Released), ..hold.clone() })
}

fn parse_id(id: &str) -> Result<(i64, i64)> {
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
