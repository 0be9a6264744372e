//! People whom a proxy in front of till names. The name belongs to one account for ever; a session of our own begins with the
//! first request, so that forms, sign-out and the list of sessions work as they do for everybody.

use crate::app::App;
use crate::email::Email;
use crate::error::{Refused, Result};
use crate::language::Language;
use crate::language::refusal::PersonRefusal;
use crate::store::sessions::SignInMethod;
use crate::store::{identities, users};
use crate::usecase::audit;
use crate::usecase::users::admission::Admission;
use crate::usecase::users::new_account::NewAccount;
use crate::usecase::users::sessions::{self, Browser, Opening};

/// The issuer of identities that a proxy vouches for.
const ISSUER: &str = "proxy";

/// Whether the session that is open in this browser is the named person's.
pub fn is_in(app: &App, name: &str, browser: &Browser) -> Result<bool> {
    let Some(cookie) = browser.former.as_deref() else { return Ok(false) };
    let Some(session) = sessions::find(app, cookie)? else { return Ok(false) };
    Ok(app.store.read(|tx| identities::by_identity(tx, ISSUER, name))? == Some(session.account))
}

/// Begins a session for the named person and ends the one that was open in this browser; its cookie. Somebody who is not known
/// gets an account in the browser's language, where everybody may make one. A name that is the verified address of an account is not taken to be its
/// owner: the operator says so first.
pub fn enter(app: &App, name: &str, (browser, language): (&Browser, Language)) -> Result<String> {
    let opening = Opening::prepare(app, browser, SignInMethod::Proxy)?;
    let (session, now, signup) = (opening.clone(), app.clock.now(), app.config.signup);
    let (name, email) = (name.to_owned(), Email::parse(name));
    let account = NewAccount::prepare(app, language)?;
    let user_id = audit::write(app, move |tx, trail| {
        if let Some(known) = identities::by_identity(tx, ISSUER, &name)? {
            let user = users::by_account(tx, known)?;
            session.begin(tx, trail, &user)?;
            return Ok(user.id);
        }
        if let Some(email) = &email
            && identities::by_address(tx, email.canonical())?.is_some()
        {
            return Err(PersonRefusal::ProxyAddressKnown.into());
        }
        Admission { signup, invite: None, address: None }.enter(tx, now)?.map_err(PersonRefusal::from)?;
        let (user, _) = account.make(tx, trail, None, (email.as_ref(), false), Some(ISSUER))?;
        identities::add_identity(tx, ISSUER, &name, user.account, now)?;
        session.begin(tx, trail, &user)?;
        Ok(user.id)
    })?;
    Ok(opening.cookie(&user_id))
}

/// Says that the proxy's name is this user's.
pub fn tie(app: &App, user_id: &str, name: &str) -> Result<()> {
    let (user_id, name, now) = (user_id.to_owned(), name.to_owned(), app.clock.now());
    if !(1..=255).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        let detail = "The name has other characters than a proxy sends, or none: 1 to 255 of ASCII were expected.";
        return Err(Refused::InvalidRequest(detail.into()).into());
    }
    audit::write(app, move |tx, trail| {
        let user = users::by_id(tx, &user_id)?;
        if identities::by_identity(tx, ISSUER, &name)? == Some(user.account) {
            return Ok(());
        }
        if !identities::add_identity(tx, ISSUER, &name, user.account, now)? {
            return Err(Refused::Forbidden("This name is another user's already. Nothing was changed.".into()).into());
        }
        trail.add(tx, "identity_tied", &user.id, ISSUER.to_owned())
    })
}
