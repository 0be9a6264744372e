//! Users as the pipeline and the operator know them: made, read, listed, with what they have.

pub mod sign_in;
pub mod statement;
pub mod tokens;

use crate::app::App;
use crate::catalog::{Catalog, LOW_BALANCE_LIMIT, Plan};
use crate::clock::Timestamp;
use crate::error::{Refused, Result};
use crate::id::UserId;
use crate::ledger::{Entry, parse_entry_id};
use crate::store::subscriptions::{self, Subscription};
use crate::store::users::{self, Balance, User};
use crate::store::{Tx, entries};

use crate::usecase::log_events;
use crate::usecase::units::posting::{self, PostingContext};

/// The most characters of an e-mail address (RFC 5321, section 4.5.3.1.3, less the brackets).
pub const EMAIL_LIMIT: usize = 254;
/// The most characters of a name.
pub const NAME_LIMIT: usize = 200;

/// A user with what they have.
#[derive(Clone, Debug)]
pub struct UserSnapshot {
    /// Who.
    pub user: User,
    /// What is left.
    pub balance: Balance,
    /// The plan's key.
    pub plan: String,
    /// What the plan switches on.
    pub features: Vec<String>,
    /// The subscription that decides the plan, or, where none does, the newest that has not ended.
    pub subscription: Option<Subscription>,
}

/// What is given of a user; what is left out stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserPatch<'a> {
    /// For people to read.
    pub email: Option<&'a str>,
    /// For people to read.
    pub name: Option<&'a str>,
    /// Units below which their balance is low; `Some(None)` is the installation's threshold again.
    pub low_balance: Option<Option<i64>>,
}

/// Makes the user, or changes what is given. Answers whether it is new.
pub fn put(app: &App, id: &str, email: Option<&str>, name: Option<&str>) -> Result<(UserSnapshot, bool)> {
    put_given(app, id, UserPatch { email, name, low_balance: None })
}

/// The same, with all that can be given.
pub fn put_given(app: &App, id: &str, given: UserPatch<'_>) -> Result<(UserSnapshot, bool)> {
    let id = user_id(id)?;
    let (email, name) = (given.email.map(str::to_owned), given.name.map(str::to_owned));
    let low_balance = given.low_balance;
    low_balance.flatten().map(check_low_balance).transpose()?;
    check_text("email", email.as_deref(), EMAIL_LIMIT)?;
    check_text("name", name.as_deref(), NAME_LIMIT)?;
    if email.as_deref().is_some_and(|email| !email.contains('@')) {
        return Err(
            Refused::InvalidRequest("email has no @: an address such as a@example.org was expected.".into()).into()
        );
    }
    let now = app.clock.now();
    let catalog = app.catalog.clone();
    app.store.write(move |tx| {
        let (user, is_new) = users::put(tx, &id, email.as_deref(), name.as_deref(), now)?;
        if let Some(units) = low_balance {
            users::set_low_balance(tx, user.account, units)?;
        }
        Ok((member(tx, &catalog, user)?, is_new))
    })
}

/// Gives a user a threshold of their own below which their balance is low, or the installation's again.
pub fn set_low_balance(app: &App, id: &str, units: Option<i64>) -> Result<()> {
    units.map(check_low_balance).transpose()?;
    let id = id.to_owned();
    app.store.write(move |tx| {
        let user = users::by_id(tx, &id)?;
        users::set_low_balance(tx, user.account, units)
    })
}

/// The threshold below which this user's balance is low, and whether it is their own.
pub fn low_balance(app: &App, account: i64) -> Result<(i64, bool)> {
    let own = app.store.read(|tx| users::low_balance_of(tx, account))?;
    Ok((own.unwrap_or(app.catalog.low_balance), own.is_some()))
}

/// The user as they are now.
pub fn show(app: &App, id: &str) -> Result<UserSnapshot> {
    let found = app.store.read(|tx| look(tx, &app.catalog, id))?;
    up_to_date(app, found)
}

/// The user as stored, in one indexed read. What is over on their account is still in it: see [`is_due`].
pub fn look(tx: &mut dyn Tx, catalog: &Catalog, id: &str) -> Result<UserSnapshot> {
    let (user, balance, live) = users::with_all(tx, id)?;
    Ok(of_parts(catalog, user, balance, live))
}

/// Whether a lot or a hold of the user's is over, and not closed yet.
pub fn is_due(member: &UserSnapshot, now: Timestamp) -> bool {
    member.balance.next_due.is_some_and(|due| due <= now)
}

/// The user of an account as they are now.
pub fn show_account(app: &App, account: i64) -> Result<UserSnapshot> {
    let found = app.store.read(|tx| {
        let user = users::by_account(tx, account)?;
        member(tx, &app.catalog, user)
    })?;
    up_to_date(app, found)
}

/// A page of users: those with `email`, or all, after the user with id `after`. Answers also where the next page begins.
pub fn list(
    app: &App,
    email: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<(Vec<UserSnapshot>, Option<String>)> {
    app.store.read(|tx| {
        let after = after.map(|id| users::by_id(tx, id)).transpose()?.map_or(0, |user| user.account);
        let mut found = users::list(tx, email, after, limit + 1)?;
        let more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let mut members = Vec::new();
        for (user, balance) in found {
            members.push(with_plan(tx, &app.catalog, user, balance)?);
        }
        let next = members.last().filter(|_| more).map(|member| member.user.id.clone());
        Ok((members, next))
    })
}

/// A user id as it was given, or why it is none.
pub fn user_id(text: &str) -> Result<UserId> {
    UserId::new(text).ok_or_else(|| {
        let shown: String = text.chars().take(140).collect();
        Refused::InvalidRequest(format!("{shown:?} is no user id: 1 to 128 of A-Z a-z 0-9 . _ : @ - were expected."))
            .into()
    })
}

/// The user with their balance and their plan, inside a transaction.
pub(crate) fn member(tx: &mut dyn Tx, catalog: &Catalog, user: User) -> Result<UserSnapshot> {
    let balance = users::balance_of(tx, user.account)?;
    with_plan(tx, catalog, user, balance)
}

/// The catalogue's plan with this key.
pub fn plan_of<'a>(catalog: &'a Catalog, key: &str) -> Option<&'a Plan> {
    catalog.plans.iter().find(|plan| plan.key == key)
}

/// Which of Stripe's states keep a plan's features. A payment that is late is retried, and keeps them meanwhile; one
/// that was never made, or was given up, does not.
///
/// | state | keeps the plan |
/// | --- | --- |
/// | `trialing`, `active`, `past_due` | yes |
/// | `incomplete`, `incomplete_expired`, `unpaid`, `paused`, `canceled`, and any word not known here | no |
pub fn keeps_plan(status: &str) -> bool {
    matches!(status, "trialing" | "active" | "past_due")
}

fn with_plan(tx: &mut dyn Tx, catalog: &Catalog, user: User, balance: Balance) -> Result<UserSnapshot> {
    let live = subscriptions::live_of(tx, user.account)?;
    Ok(of_parts(catalog, user, balance, live))
}

fn of_parts(catalog: &Catalog, user: User, balance: Balance, live: Vec<Subscription>) -> UserSnapshot {
    let deciding = live.iter().filter(|subscription| keeps_plan(&subscription.status));
    let deciding = deciding.filter_map(|subscription| Some((plan_of(catalog, &subscription.offer)?, subscription)));
    let best = deciding.max_by_key(|(plan, _)| plan.amount);
    let plan = best.map(|(plan, _)| plan).or(catalog.free_plan());
    UserSnapshot {
        plan: plan.map_or_else(|| "none".to_owned(), |plan| plan.key.clone()),
        features: plan.map(|plan| plan.features.clone()).unwrap_or_default(),
        subscription: best.map(|(_, subscription)| subscription.clone()).or(live.first().cloned()),
        user,
        balance,
    }
}

/// What is shown is what could be spent: a lot or a hold that is over is closed before its user is shown.
pub fn up_to_date(app: &App, member: UserSnapshot) -> Result<UserSnapshot> {
    let now = app.clock.now();
    if !is_due(&member, now) {
        return Ok(member);
    }
    let (catalog, account) = (app.catalog.clone(), member.user.account);
    let (member, to_log) = app.store.write(move |tx| {
        let mut context = PostingContext::of(&catalog, now);
        posting::open(tx, &mut context, account, None)?;
        let user = users::by_account(tx, account)?;
        Ok((self::member(tx, &catalog, user)?, context.to_log))
    })?;
    log_events::low_balances(&to_log);
    Ok(member)
}

fn check_low_balance(units: i64) -> Result<()> {
    if (0..=LOW_BALANCE_LIMIT).contains(&units) {
        return Ok(());
    }
    let expected = format!("a whole number from 0 to {LOW_BALANCE_LIMIT} was expected");
    Err(Refused::InvalidRequest(format!("low_balance is {units}: {expected}.")).into())
}

fn check_text(field: &str, text: Option<&str>, limit: usize) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let length = text.chars().count();
    if text.chars().any(char::is_control) || length > limit || text.trim().is_empty() {
        let expected = format!("1 to {limit} characters without control characters were expected");
        return Err(Refused::InvalidRequest(format!("{field} has {length} characters: {expected}.")).into());
    }
    Ok(())
}

/// A page of a user's ledger, newest first, before the entry with id `after`.
pub fn ledger_page(app: &App, id: &str, after: Option<&str>, limit: i64) -> Result<(User, Vec<Entry>, Option<String>)> {
    let member = show(app, id)?;
    let user = member.user;
    let before = match after.map(|text| (text, parse_entry_id(text))) {
        None => i64::MAX,
        Some((_, Some((account, seq)))) if account == user.account => seq,
        Some((text, _)) => {
            return Err(
                Refused::InvalidRequest(format!("after={text:?} is not an entry of this user's ledger.")).into()
            );
        }
    };
    let mut found = app.store.read(|tx| entries::newest(tx, user.account, before, limit + 1))?;
    let more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = found.last().filter(|_| more).map(Entry::id);
    Ok((user, found, next))
}

/// When a lot that is credited at `at` expires.
pub(crate) fn days_after(at: Timestamp, days: Option<i64>) -> Option<Timestamp> {
    days.map(|days| at.plus_seconds(days.saturating_mul(86_400)))
}
