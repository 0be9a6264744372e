//! Users as programs and the operator know them: created, changed, read and listed, with what they have.

pub mod account;
pub mod activity;
pub mod admission;
pub mod balance;
pub mod codes;
pub mod confirm;
pub mod entitlement;
pub mod erase;
pub mod export;
mod guessing;
pub mod lot_history;
pub mod lots_by_origin;
mod new_account;
pub mod notes;
pub mod oidc;
pub mod operators;
pub mod passkeys;
pub mod password;
pub mod proxy;
mod records;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
pub mod statement;
pub mod steps;
pub mod tokens;
pub mod usage;
pub mod welcome;

pub use entitlement::{UserSnapshot, fetch};

use crate::app::App;
use crate::catalog::LOW_BALANCE_LIMIT;
use crate::error::{Refused, Result};
use crate::id::{USER_ID_LIMIT, UserId};
use crate::language::Language;
use crate::plain_text::is_hidden;
use crate::store::users;

use crate::usecase::audit;
use crate::usecase::checkout::customer_change;
use crate::usecase::units::posting::{self, PostingContext};

/// The most characters of an e-mail address (RFC 5321, section 4.5.3.1.3, less the brackets).
pub const EMAIL_LIMIT: usize = 254;
/// The most characters of a name.
pub const NAME_LIMIT: usize = 200;

/// Changes to a user. `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserPatch<'a> {
    /// `Some(None)` takes the address away.
    pub email: Option<Option<&'a str>>,
    /// `Some(None)` takes the name away.
    pub name: Option<Option<&'a str>>,
    /// Units below which the balance is low. `Some(None)` goes back to the installation's threshold.
    pub low_balance: Option<Option<i64>>,
}

impl UserPatch<'_> {
    /// The same without white space around the texts, which comes from forms and files and which nobody sees.
    fn trimmed(self) -> Self {
        let trimmed = |text: Option<Option<_>>| text.map(|text: Option<&str>| text.map(str::trim));
        UserPatch { email: trimmed(self.email), name: trimmed(self.name), ..self }
    }

    /// Refuses what no user can have.
    pub fn check(&self) -> Result<()> {
        self.low_balance.flatten().map(check_low_balance).transpose()?;
        check_text("email", self.email.flatten(), EMAIL_LIMIT)?;
        check_text("name", self.name.flatten(), NAME_LIMIT)?;
        if self.email.flatten().is_some_and(|email| !email.contains('@')) {
            let detail = "email has no @: an address such as a@example.org was expected.";
            return Err(Refused::InvalidRequest(detail.into()).into());
        }
        Ok(())
    }
}

/// Part of a list, and where the next part begins.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    pub rows: Vec<T>,
    /// What to give as `after` for the next part; `None` at the end of the list.
    pub next: Option<String>,
}

impl<T> Listing<T> {
    /// At most `limit` of `rows`. A further row, which the query reads for this, shows that the list goes on.
    fn cut(mut rows: Vec<T>, limit: i64, id: impl Fn(&T) -> String) -> Listing<T> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let goes_on = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| goes_on).map(id);
        Listing { rows, next }
    }
}

/// Creates the user, or changes an existing one. Also returns whether the user is new.
pub fn put(app: &App, id: &str, patch: UserPatch<'_>) -> Result<(UserSnapshot, bool)> {
    let id = user_id(id)?;
    let patch = patch.trimmed();
    patch.check()?;
    let email = patch.email.map(|email| email.map(str::to_owned));
    let name = patch.name.map(|name| name.map(str::to_owned));
    let low_balance = patch.low_balance;
    let now = app.clock.now();
    let catalog = app.catalog.clone();
    audit::write(app, move |tx, trail| {
        let before = users::find(tx, id.as_str())?;
        let (email, name) = (email.as_ref().map(Option::as_deref), name.as_ref().map(Option::as_deref));
        let (mut user, is_new) = users::put(tx, &id, email.flatten(), name.flatten(), now)?;
        if email == Some(None) && user.email.take().is_some() {
            users::clear_email(tx, user.account)?;
        }
        if name == Some(None) && user.name.take().is_some() {
            users::clear_name(tx, user.account)?;
        }
        if let Some(before) = &before {
            customer_change::note(tx, before, &user, now)?;
        }
        if let Some(units) = low_balance {
            users::set_low_balance(tx, user.account, units)?;
        }
        if before.as_ref() != Some(&user) || low_balance.is_some() {
            trail.add(tx, if is_new { "user_added" } else { "user_changed" }, &user.id, None)?;
        }
        Ok((entitlement::of_user(tx, &catalog, user)?, is_new))
    })
}

/// Sets the threshold below which a user's balance is low. `None` goes back to the installation's.
pub fn set_low_balance(app: &App, id: &str, units: Option<i64>) -> Result<()> {
    units.map(check_low_balance).transpose()?;
    let id = id.to_owned();
    audit::write(app, move |tx, trail| {
        let user = users::by_id(tx, &id)?;
        trail.add(tx, "low_balance_set", &id, units.map(|units| units.to_string()))?;
        users::set_low_balance(tx, user.account, units)
    })
}

/// Keeps the language that the user chose, for pages and mails.
pub fn set_locale(app: &App, user: &users::User, locale: Language) -> Result<()> {
    let (account, id) = (user.account, user.id.clone());
    audit::write(app, move |tx, trail| {
        trail.add(tx, "locale_set", &id, locale.tag().to_owned())?;
        users::set_locale(tx, account, locale)
    })
}

/// The threshold below which this user's balance is low, and whether it is the user's own.
pub fn low_balance(app: &App, account: i64) -> Result<(i64, bool)> {
    let own = app.store.read(|tx| users::low_balance_of(tx, account))?;
    Ok((own.unwrap_or(app.catalog.low_balance), own.is_some()))
}

/// The user as of now.
pub fn show(app: &App, id: &str) -> Result<UserSnapshot> {
    let stored = app.store.read(|tx| fetch(tx, &app.catalog, id))?;
    up_to_date(app, stored)
}

/// The user of an account as of now.
pub fn show_account(app: &App, account: i64) -> Result<UserSnapshot> {
    let (stored, _) = app.store.read(|tx| entitlement::fetch_account(tx, &app.catalog, account))?;
    up_to_date(app, stored)
}

/// Users after the one with id `after`, in the order in which they were created; with `email`, only those who have it.
pub fn list(app: &App, email: Option<&str>, after: Option<&str>, limit: i64) -> Result<Listing<UserSnapshot>> {
    let after = after.map(user_id).transpose()?;
    app.store.read(|tx| {
        let after = after.as_ref().map(|id| users::by_id(tx, id.as_str())).transpose()?.map_or(0, |user| user.account);
        let found = users::list(tx, email, after, limit + 1)?;
        let Listing { rows, next } = Listing::cut(found, limit, |(user, _)| user.id.clone());
        let mut snapshots = Vec::with_capacity(rows.len());
        for (user, balance) in rows {
            snapshots.push(entitlement::with_balance(tx, &app.catalog, user, balance)?);
        }
        Ok(Listing { rows: snapshots, next })
    })
}

/// A user id as a caller wrote it, or why it is none.
pub fn user_id(text: &str) -> Result<UserId> {
    UserId::new(text).ok_or_else(|| {
        let shown: String = text.chars().take(140).collect();
        let expected = format!("1 to {USER_ID_LIMIT} of A-Z a-z 0-9 . _ : @ -, not of dots alone, were expected");
        Refused::InvalidRequest(format!("{shown:?} is no user id: {expected}.")).into()
    })
}

/// Closes what has expired on a user's account, so that the balance is what can be spent.
pub fn up_to_date(app: &App, stored: UserSnapshot) -> Result<UserSnapshot> {
    let now = app.clock.now();
    if !stored.is_due(now) {
        return Ok(stored);
    }
    let catalog = app.catalog.clone();
    let account = stored.user.account;
    posting::write(app, PostingContext::of(&app.catalog, now), move |tx, context| {
        posting::open(tx, context, account, None)?;
        let user = users::by_account(tx, account)?;
        entitlement::of_user(tx, &catalog, user)
    })
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
    if text.chars().any(is_hidden) || length > limit || text.trim().is_empty() {
        let expected = format!("1 to {limit} characters without control characters or invisible ones were expected");
        return Err(Refused::InvalidRequest(format!("{field} has {length} characters: {expected}.")).into());
    }
    Ok(())
}
