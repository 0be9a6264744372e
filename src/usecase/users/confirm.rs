//! What the button does to which the link in a letter leads. A code works once.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::id::{self, UserId};
use crate::language::Language;
use crate::language::refusal::PersonRefusal;
use crate::ledger::Kind;
use crate::mail::letter::Letter;
use crate::store::codes::{self as stored_codes, Code, CodePurpose};
use crate::store::sessions::SignInMethod;
use crate::store::users::{self, User};
use crate::store::{Tx, identities, mails};
use crate::usecase::audit::{self, Trail};
use crate::usecase::checkout::customer_change;
use crate::usecase::log_events;
use crate::usecase::mail::{self, Recipient};
use crate::usecase::users::admission::{self, Admission};
use crate::usecase::users::codes::{is_asker, stored_email};
use crate::usecase::users::new_account::NewAccount;
use crate::usecase::users::sessions::{self, Browser, Opening};
use crate::usecase::users::{password, welcome};

/// What was confirmed.
#[derive(Clone)]
pub struct Confirmation {
    pub purpose: CodePurpose,
    /// The cookie of the session that began; none where the address was changed.
    pub cookie: Option<String>,
}

/// Uses a code up. `None` when it is unknown, used or too old. The browser's language becomes that of an account that is made.
/// `new_password` is what a reset sets; `signed_in` the account that is signed in in this browser, which alone confirms an
/// address of its own.
pub fn confirm(
    app: &App,
    code: &str,
    (browser, language): (&Browser, Language),
    new_password: &str,
    signed_in: Option<i64>,
) -> Result<Option<Confirmation>> {
    let (hash, now) = (id::secret_hash(code), app.clock.now());
    let Some(known) = app.store.read(|tx| stored_codes::find(tx, &hash, now))? else { return Ok(None) };
    match known.purpose {
        CodePurpose::SignIn => sign_in(app, hash, browser),
        CodePurpose::SignUp => sign_up(app, hash, browser, language),
        CodePurpose::Reset => reset(app, hash, &known, browser, new_password),
        CodePurpose::Address => change_address(app, hash, signed_in),
    }
}

fn sign_in(app: &App, hash: [u8; 32], browser: &Browser) -> Result<Option<Confirmation>> {
    let opening = Opening::prepare(app, browser, SignInMethod::Mail)?;
    let (session, now) = (opening.clone(), app.clock.now());
    let user = audit::write(app, move |tx, trail| {
        let Some(Code { account: Some(account), .. }) = stored_codes::take(tx, &hash, now)? else { return Ok(None) };
        let user = users::by_account(tx, account)?;
        session.begin(tx, trail, &user)?;
        Ok(Some(user.id))
    })?;
    Ok(user.map(|id| Confirmation { purpose: CodePurpose::SignIn, cookie: Some(opening.cookie(&id)) }))
}

/// Makes the account, unless the address has one by now: the reader of its letters may come in. A password that was typed at
/// the sign-up counts only in the browser that typed it. Otherwise somebody could make an account of another's address, and
/// know its password.
fn sign_up(app: &App, hash: [u8; 32], browser: &Browser, language: Language) -> Result<Option<Confirmation>> {
    let opening = Opening::prepare(app, browser, SignInMethod::Mail)?;
    let (session, now, signup) = (opening.clone(), app.clock.now(), admission::signup(app));
    let (browser, account) = (browser.clone(), NewAccount::prepare(app, language)?);
    let made = audit::write(app, move |tx, trail| {
        let Some(code) = stored_codes::take(tx, &hash, now)? else { return Ok(None) };
        let email = stored_email(&code.address)?;
        if let Some(owner) = identities::by_address(tx, email.canonical())? {
            let user = users::by_account(tx, owner.account)?;
            session.begin(tx, trail, &user)?;
            return Ok(Some((user.id, None)));
        }
        let comer = Admission { signup, invite: code.invite.as_ref(), address: Some(&email) };
        comer.enter(tx, now)?.map_err(PersonRefusal::from)?;
        let (user, units) = account.make(tx, trail, None, (Some(&email), true), None)?;
        if let Some(password) = code.password.as_deref().filter(|_| is_asker(&code, &browser)) {
            identities::set_password(tx, user.account, password, now)?;
        }
        session.begin(tx, trail, &user)?;
        Ok(Some((user.id, units)))
    })?;
    Ok(made.map(|(id, units)| {
        if let Some(units) = units {
            log_events::credited(app, Kind::Grant, units);
        }
        Confirmation { purpose: CodePurpose::SignUp, cookie: Some(opening.cookie(&id)) }
    }))
}

/// Sets a new password, ends every session, and begins one here.
fn reset(
    app: &App,
    hash: [u8; 32],
    known: &Code,
    browser: &Browser,
    new_password: &str,
) -> Result<Option<Confirmation>> {
    let Some(account) = known.account else { return Ok(None) };
    let user = app.store.read(|tx| users::by_account(tx, account))?;
    password::check_of(app, new_password, &user, Some(&known.address))?;
    let new_hash = password::hash(new_password)?;
    let opening = Opening::prepare(app, browser, SignInMethod::Mail)?;
    let (session, now) = (opening.clone(), app.clock.now());
    let user_id = user.id.clone();
    let is_set = audit::write(app, move |tx, trail| {
        if stored_codes::take(tx, &hash, now)?.is_none() {
            return Ok(false);
        }
        trail.is_done_by_user(&user.id);
        trail.add(tx, "password_set", &user.id, None)?;
        identities::set_password(tx, account, &new_hash, now)?;
        sessions::end_all(tx, account, None, now)?;
        session.begin(tx, trail, &user)?;
        Ok(true)
    })?;
    Ok(is_set.then(|| Confirmation { purpose: CodePurpose::Reset, cookie: Some(opening.cookie(&user_id)) }))
}

/// Makes the address the account's. Only its owner confirms it, in a browser in which they are signed in: a reader of the
/// letter who is somebody else must not give their address to a stranger's account.
fn change_address(app: &App, hash: [u8; 32], signed_in: Option<i64>) -> Result<Option<Confirmation>> {
    let now = app.clock.now();
    let welcome = welcome::Welcome::prepare(app)?;
    let changed = audit::write(app, move |tx, trail| {
        let Some(code) = stored_codes::take(tx, &hash, now)? else { return Ok(None) };
        let Some(account) = code.account.filter(|account| signed_in == Some(*account)) else {
            return Err(PersonRefusal::AddressOfAnother.into());
        };
        let user = users::by_account(tx, account)?;
        replace_address(tx, trail, &user, &code.address, now)?;
        let units = welcome.give(tx, account, &stored_email(&code.address)?, now)?;
        Ok(Some(units))
    })?;
    Ok(changed.map(|units| {
        if let Some(units) = units {
            log_events::credited(app, Kind::Grant, units);
        }
        Confirmation { purpose: CodePurpose::Address, cookie: None }
    }))
}

fn replace_address(tx: &mut dyn Tx, trail: &mut Trail, user: &User, address: &str, now: Timestamp) -> Result<()> {
    let email = stored_email(address)?;
    let former = identities::address_of(tx, user.account)?;
    if !identities::set_address(tx, user.account, &email, now)? {
        return Err(PersonRefusal::AddressTaken.into());
    }
    mails::claim(tx, user.account, email.as_str())?;
    trail.add(tx, "address_changed", &user.id, None)?;
    let id = UserId::new(&user.id).ok_or_else(|| Fault::bare("a stored id is none"))?;
    let (after, _) = users::put(tx, &id, Some(email.as_str()), None, now)?;
    customer_change::note(tx, user, &after, now)?;
    // Letters that went to the former address let nobody in any more.
    stored_codes::end_all(tx, user.account, now)?;
    if let Some(former) = former {
        let reason = id::ordered_id("address", now)?;
        let letter = Letter::AddressChanged { new_address: email.as_str().to_owned() };
        let to = Recipient::at(Some(user.account), &former.written).in_language(user.locale.unwrap_or_default());
        mail::queue(tx, now, &to, &reason, &letter)?;
    }
    Ok(())
}
