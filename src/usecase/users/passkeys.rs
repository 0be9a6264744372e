//! Passkeys of people: added and removed on the account page, used to sign in. What an authenticator says is checked by
//! `passkey`; here is whose it is, and that each question is answered once, in the browser that was asked.

use crate::app::App;
use crate::error::{Error, Result};
use crate::language::refusal::PersonRefusal;
use crate::passkey::{self, Assertion, PasskeyFault, RelyingParty};
use crate::store::passkeys::{self, Passkey};
use crate::store::sessions::{self as session_rows, Session, SignInMethod};
use crate::store::users::{self, User};
use crate::store::{Tx, identities};
use crate::usecase::audit;
use crate::usecase::mail;
use crate::usecase::users::sessions::{Browser, Opening};
use crate::usecase::users::{second_factor, steps};

/// Passkeys of one account.
const PASSKEYS_LIMIT: usize = 20;
/// Characters of a passkey's name.
pub const PASSKEY_NAME_LIMIT: usize = 100;

/// Whether people may add passkeys here.
pub fn are_offered(app: &App) -> bool {
    app.passkeys.is_some()
}

/// Whether anybody can sign in by a passkey.
pub fn are_in_use(app: &App) -> Result<bool> {
    Ok(are_offered(app) && app.store.read(passkeys::are_there_any)?)
}

/// The user's passkeys.
pub fn list(app: &App, account: i64) -> Result<Vec<Passkey>> {
    app.store.read(|tx| passkeys::of_account(tx, account))
}

/// What the user's browser is asked, as JSON, to make a passkey. It wants a fresh sign-in, because a passkey lets its holder in.
pub fn begin_adding(app: &App, user: &User, session: &Session, cookie: &str) -> Result<String> {
    second_factor::require_fresh_proof(app, session)?;
    let party = configured(app)?;
    let (existing, address) = app
        .store
        .read(|tx| Ok((passkeys::of_account(tx, user.account)?, identities::address_of(tx, user.account)?)))?;
    require_room(existing.len())?;
    let handle = existing.first().map_or_else(passkey::new_handle, |known| Ok(known.key.handle))?;
    let name = address.map(|address| address.written).or_else(|| user.name.clone()).unwrap_or_else(|| user.id.clone());
    let existing: Vec<_> = existing.into_iter().map(|known| known.key).collect();
    let (state, asked) = party.begin_registration(&handle, &name, &existing)?;
    steps::begin(app, cookie, &state)?;
    Ok(asked)
}

/// Stores the passkey that the browser's authenticator has made. It has verified its owner, so that the session has proved a
/// second factor from then on.
pub fn add(app: &App, user: &User, session: &Session, cookie: &str, (name, answer): (&str, &str)) -> Result<()> {
    second_factor::require_fresh_proof(app, session)?;
    let party = configured(app)?;
    let now = app.clock.now();
    let state = steps::take(app, cookie)?.ok_or_else(too_late)?;
    let made = party.finish_registration(state, answer).map_err(|fault| not_taken(&fault))?;
    let name = checked_name(name)?;
    let (user, session) = (user.clone(), session.number);
    audit::write(app, move |tx, trail| {
        require_room(passkeys::of_account(tx, user.account)?.len())?;
        if !passkeys::add(tx, user.account, &name, &made, now)? {
            return Err(PersonRefusal::PasskeyKnown.into());
        }
        session_rows::prove_second_factor(tx, session, now)?;
        trail.add(tx, "passkey_added", &user.id, None)
    })
}

/// Gives one of the user's passkeys another name.
pub fn rename(app: &App, user: &User, session: &Session, number: i64, name: &str) -> Result<()> {
    second_factor::require_proof(app, session)?;
    let (user, name) = (user.clone(), checked_name(name)?);
    audit::write(app, move |tx, trail| {
        if !passkeys::rename(tx, user.account, number, &name)? {
            return Err(unknown().into());
        }
        trail.add(tx, "passkey_renamed", &user.id, number.to_string())
    })
}

/// Removes one of the user's passkeys. Returns whether they can still sign in by themselves.
pub fn remove(app: &App, user: &User, session: &Session, number: i64) -> Result<bool> {
    second_factor::require_proof(app, session)?;
    let (user, has_mail) = (user.clone(), mail::is_configured(app));
    let by_others = app.config.oidc.is_some() || app.config.proxy_auth.is_some();
    audit::write(app, move |tx, trail| {
        if !passkeys::remove(tx, user.account, number)? {
            return Err(unknown().into());
        }
        trail.add(tx, "passkey_removed", &user.id, number.to_string())?;
        let account = user.account;
        Ok(!passkeys::of_account(tx, account)?.is_empty()
            || identities::password_of(tx, account)?.is_some()
            || (has_mail && identities::address_of(tx, account)?.is_some())
            || (by_others && !identities::identities_of(tx, account)?.is_empty()))
    })
}

/// What a browser is asked, as JSON, to sign in by a passkey. `form` is the cookie of the form with the button.
pub fn begin_sign_in(app: &App, form: &str) -> Result<String> {
    let (state, asked) = configured(app)?.begin_assertion()?;
    steps::begin(app, form, &state)?;
    Ok(asked)
}

/// Signs in whose passkey has answered what this browser was asked. `None` where the answer is not taken; why, the log says.
pub fn sign_in(app: &App, form: &str, answer: &str, browser: &Browser) -> Result<Option<String>> {
    let party = configured(app)?;
    let now = app.clock.now();
    let Some(state) = steps::take(app, form)? else { return Ok(refused("nothing was asked", None)) };
    let assertion = match passkey::read_assertion(answer) {
        Ok(assertion) => assertion,
        Err(fault) => return Ok(refused(detail_of(&fault), None)),
    };
    let Some((known, user)) = app.store.read(|tx| owner_of(tx, &assertion))? else {
        return Ok(refused("the passkey is not known", None));
    };
    let used = match party.finish_assertion(state, &assertion, &known.key) {
        Ok(used) => used,
        Err(fault) => {
            if fault == PasskeyFault::Copied {
                record_copy(app, &user, known.number)?;
            }
            return Ok(refused(detail_of(&fault), Some(&user)));
        }
    };
    let opening = Opening::prepare(app, browser, SignInMethod::Passkey)?;
    let (session, user_id) = (opening.clone(), user.id.clone());
    let is_in = audit::write(app, move |tx, trail| {
        if !passkeys::used(tx, known.number, &known.key.state, &used, now)? {
            return Ok(false);
        }
        session.begin(tx, trail, &user)?;
        Ok(true)
    })?;
    Ok(is_in.then(|| opening.cookie(&user_id)))
}

fn owner_of(tx: &mut dyn Tx, assertion: &Assertion) -> Result<Option<(Passkey, User)>> {
    let Some(known) = passkeys::find(tx, assertion.credential())? else { return Ok(None) };
    let user = users::by_account(tx, known.account)?;
    Ok(Some((known, user)))
}

/// The operator can read of a passkey whose counter went back.
fn record_copy(app: &App, user: &User, number: i64) -> Result<()> {
    let id = user.id.clone();
    audit::write(app, move |tx, trail| {
        trail.add(tx, "passkey_refused", &id, format!("{number}: its counter did not rise, there may be a copy"))
    })
}

fn refused(why: &str, user: Option<&User>) -> Option<String> {
    let user_id = user.map(|user| user.id.as_str());
    tracing::info!(event = "passkey_not_taken", user_id, detail = why);
    None
}

fn detail_of(fault: &PasskeyFault) -> &str {
    match fault {
        PasskeyFault::Unproven(detail) => detail,
        PasskeyFault::Copied => "its counter did not rise",
    }
}

fn not_taken(fault: &PasskeyFault) -> Error {
    tracing::info!(event = "passkey_not_taken", detail = detail_of(fault));
    PersonRefusal::PasskeyUnusable.into()
}

fn require_room(count: usize) -> Result<()> {
    if count < PASSKEYS_LIMIT {
        return Ok(());
    }
    Err(PersonRefusal::TooMany(PASSKEYS_LIMIT).into())
}

fn checked_name(name: &str) -> Result<String> {
    if name.is_empty() || name.chars().count() > PASSKEY_NAME_LIMIT {
        return Err(PersonRefusal::NameLength { most: PASSKEY_NAME_LIMIT }.into());
    }
    Ok(name.to_owned())
}

fn too_late() -> Error {
    PersonRefusal::PasskeyTooLate.into()
}

fn unknown() -> PersonRefusal {
    PersonRefusal::Gone
}

fn configured(app: &App) -> Result<&RelyingParty> {
    app.passkeys.as_ref().ok_or_else(|| Error::from(PersonRefusal::NoSuchWay))
}
