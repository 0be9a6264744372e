//! The second factor: a code of an authenticator app, which a person confirms once on their account page. From then on a
//! password alone opens nothing of theirs: the code is asked before a session begins. A session in which one was proved says
//! so, which operators' pages ask for.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::language::refusal::PersonRefusal;
use crate::store::second_factors::{self, SecondFactor};
use crate::store::sessions::{self as session_rows, Session, SignInMethod};
use crate::store::users::{self, User};
use crate::store::{Tx, identities, passkeys};
use crate::totp::{self, Secret};
use crate::usecase::audit;
use crate::usecase::users::sessions::{self, Browser, Opening};
use crate::usecase::users::steps::{self, AwaitedCode, Enrolment};

/// Whether the account has one.
pub fn is_set(app: &App, account: i64) -> Result<bool> {
    Ok(app.store.read(|tx| second_factors::find(tx, account))?.is_some())
}

/// Whether this session's owner has a second factor that was not proved in it: codes of an app, or a passkey where browsers
/// have them.
pub fn is_proof_missing(app: &App, session: &Session) -> Result<bool> {
    if session.second_factor_at.is_some() {
        return Ok(false);
    }
    let (account, has_passkeys) = (session.account, app.passkeys.is_some());
    app.store.read(|tx| {
        let has_codes = second_factors::find(tx, account)?.is_some();
        Ok(has_codes || (has_passkeys && !passkeys::of_account(tx, account)?.is_empty()))
    })
}

/// Refuses what decides how somebody signs in, or cannot be undone, where the account's second factor was not proved in this
/// session: else a password that somebody has stolen would put another factor in its place.
pub fn require_proof(app: &App, session: &Session) -> Result<()> {
    match is_proof_missing(app, session)? {
        true => Err(PersonRefusal::ProofMissing.into()),
        false => Ok(()),
    }
}

/// The same of what wants a fresh sign-in as well.
pub fn require_fresh_proof(app: &App, session: &Session) -> Result<()> {
    sessions::require_fresh(app, session)?;
    require_proof(app, session)
}

/// A secret for the user's app, which counts once a code of it is confirmed in the same session. It wants a fresh sign-in,
/// because who has it may keep the owner out.
pub fn begin(app: &App, user: &User, session: &Session, cookie: &str) -> Result<Secret> {
    require_fresh_proof(app, session)?;
    if is_set(app, user.account)? {
        return Err(set_already());
    }
    let secret = totp::secret()?;
    steps::begin(app, cookie, &Enrolment(secret))?;
    Ok(secret)
}

/// Confirms the secret that this session has begun with. Returns it, for another try, when the code is not its.
pub fn confirm(app: &App, user: &User, session: &Session, (cookie, code): (&str, &str)) -> Result<Option<Secret>> {
    require_fresh_proof(app, session)?;
    let now = app.clock.now();
    let Some(Enrolment(secret)) = steps::look(app, cookie)? else {
        return Err(PersonRefusal::OfferSpent.into());
    };
    let Some(last_step) = totp::step_of(&secret, code, 0, now) else { return Ok(Some(secret)) };
    let (user, number) = (user.clone(), session.number);
    audit::write(app, move |tx, trail| {
        if !second_factors::add(tx, user.account, &SecondFactor { secret, last_step, confirmed_at: now })? {
            return Err(set_already());
        }
        session_rows::prove_second_factor(tx, number, now)?;
        trail.add(tx, "second_factor_set", &user.id, None)
    })?;
    steps::take::<Enrolment>(app, cookie)?;
    Ok(None)
}

/// Removes the codes of the user's app, with one of them, or without where somebody has signed in just now and has proved a
/// second factor. `false` when the code is wrong.
pub fn remove(app: &App, user: &User, session: &Session, code: &str) -> Result<bool> {
    let (user, code, now) = (user.clone(), code.to_owned(), app.clock.now());
    let is_sure = sessions::is_fresh(app, session) && session.second_factor_at.is_some();
    audit::write(app, move |tx, trail| {
        if !is_sure && !use_up(tx, user.account, &code, now)? {
            return Ok(false);
        }
        if second_factors::remove(tx, user.account)? {
            trail.add(tx, "second_factor_removed", &user.id, None)?;
        }
        Ok(true)
    })
}

/// Removes a user's codes and passkeys because the operator says so: the person has lost what proves them. `false` when there
/// were none.
pub fn remove_by_operator(app: &App, user_id: &str) -> Result<bool> {
    let user = app.store.read(|tx| users::by_id(tx, user_id))?;
    audit::write(app, move |tx, trail| {
        let had_codes = second_factors::remove(tx, user.account)?;
        if had_codes {
            trail.add(tx, "second_factor_removed", &user.id, None)?;
        }
        let known = passkeys::of_account(tx, user.account)?;
        passkeys::remove_of(tx, user.account)?;
        for passkey in &known {
            trail.add(tx, "passkey_removed", &user.id, passkey.number.to_string())?;
        }
        Ok(had_codes || !known.is_empty())
    })
}

/// Remembers that this session's owner proved their second factor now. `false` when the code is wrong.
pub fn prove(app: &App, user: &User, session: &Session, code: &str) -> Result<bool> {
    let (user, number, now) = (user.clone(), session.number, app.clock.now());
    let code = code.to_owned();
    audit::write(app, move |tx, trail| {
        if !use_up(tx, user.account, &code, now)? {
            return Ok(false);
        }
        session_rows::prove_second_factor(tx, number, now)?;
        trail.add(tx, "second_factor_proved", &user.id, None)?;
        Ok(true)
    })
}

/// Whose code the browser with this form's cookie is asked for.
pub fn awaited(app: &App, form: &str) -> Result<Option<AwaitedCode>> {
    steps::look(app, form)
}

/// How an attempt to complete a sign-in ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeEnd {
    /// The cookie of the session that began.
    SignedIn(String),
    Wrong,
    /// No code is awaited any more: the sign-in begins again.
    Over,
}

/// Completes a sign-in by a password with a code.
pub fn sign_in(app: &App, form: &str, code: &str, browser: &Browser) -> Result<CodeEnd> {
    let Some(awaited) = awaited(app, form)? else { return Ok(CodeEnd::Over) };
    let opening = Opening::prepare(app, browser, SignInMethod::Password)?.with_second_factor();
    let (session, code, now) = (opening.clone(), code.to_owned(), app.clock.now());
    let ended = audit::write(app, move |tx, trail| {
        // Either may have changed since the password was typed.
        let password = identities::password_of(tx, awaited.account)?;
        let is_current = password.is_some_and(|password| password.hash == awaited.password);
        if !is_current || second_factors::find(tx, awaited.account)?.is_none() {
            return Ok(Err(CodeEnd::Over));
        }
        if !use_up(tx, awaited.account, &code, now)? {
            return Ok(Err(CodeEnd::Wrong));
        }
        let user = users::by_account(tx, awaited.account)?;
        session.begin(tx, trail, &user)?;
        Ok(Ok(user.id))
    })?;
    if ended != Err(CodeEnd::Wrong) {
        steps::take::<AwaitedCode>(app, form)?;
    }
    Ok(ended.map_or_else(|end| end, |user_id| CodeEnd::SignedIn(opening.cookie(&user_id))))
}

/// Whether this is a code of the account's app that was not used yet; it is used up with that.
fn use_up(tx: &mut dyn Tx, account: i64, code: &str, now: Timestamp) -> Result<bool> {
    let Some(factor) = second_factors::find(tx, account)? else { return Ok(false) };
    match totp::step_of(&factor.secret, code, factor.last_step, now) {
        Some(step) => second_factors::use_step(tx, account, step),
        None => Ok(false),
    }
}

fn set_already() -> crate::error::Error {
    PersonRefusal::CodesSetAlready.into()
}
