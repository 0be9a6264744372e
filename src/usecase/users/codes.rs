//! Letters that prove an address: to sign in, to make an account, to set a new password, to change the address. Whether an
//! account exists is never said: what is asked for costs the same work, and is answered in the same words.

use crate::app::App;
use crate::clock::Timestamp;
use crate::email::Email;
use crate::error::{Fault, Refused, Result};
use crate::id;
use crate::language::Language;
use crate::language::refusal::PersonRefusal;
use crate::mail::letter::Letter;
use crate::store::codes::{self, Code, CodePurpose};
use crate::store::users::User;
use crate::store::{Tx, identities, users};
use crate::usecase::audit;
use crate::usecase::mail::{self, Recipient};
use crate::usecase::users::admission::{self, Admission};
use crate::usecase::users::sessions::Browser;

/// For how many minutes a code works.
pub const CODE_MINUTES: i64 = 10;
/// Codes that work at once, of all people.
const CODES_LIMIT: i64 = 20_000;

/// What somebody without a session asks a letter for.
pub enum Asking {
    SignIn,
    Reset,
    /// With a password's hash, if one was chosen, and the invitation.
    SignUp {
        password: Option<String>,
        invite: Option<String>,
    },
}

/// Sends a letter to the address, if there is anything to tell it. The browser that asks is known again by its mark; its
/// language is that of somebody who chose none.
pub fn ask(app: &App, email: &Email, asking: Asking, (mark, language): (&str, Language)) -> Result<()> {
    require_mail(app)?;
    let invite = match &asking {
        Asking::SignUp { invite, .. } => {
            let invite = invite.as_deref().filter(|invite| !invite.is_empty()).map(id::secret_hash);
            let comer = Admission { signup: admission::signup(app), invite: invite.as_ref(), address: Some(email) };
            app.store.read(|tx| comer.look(tx, app.clock.now()))?.map_err(PersonRefusal::from)?
        }
        Asking::SignIn | Asking::Reset => None,
    };
    let prepared = Prepared::new(app, email, mark)?;
    let (email, now) = (email.clone(), app.clock.now());
    app.store.write(move |tx| {
        prepared.refuse_too_many(tx, now)?;
        let owner = identities::by_address(tx, email.canonical())?.map(|owner| owner.account);
        let mut code = prepared.code(CodePurpose::SignIn, now);
        code.account = owner;
        match (&asking, owner) {
            (Asking::Reset, _) => code.purpose = CodePurpose::Reset,
            (Asking::SignUp { password, .. }, None) => {
                code.purpose = CodePurpose::SignUp;
                (code.password, code.invite) = (password.clone(), invite);
            }
            // Somebody who has an account and asks for another is signed in to that one.
            (Asking::SignIn | Asking::SignUp { .. }, _) => {}
        }
        let is_for_nobody = owner.is_none() && code.purpose != CodePurpose::SignUp;
        codes::add(tx, &prepared.hash, &code)?;
        if is_for_nobody {
            return Ok(());
        }
        let url = prepared.url.clone();
        let letter = match code.purpose {
            CodePurpose::Reset => Letter::PasswordReset { url, minutes: CODE_MINUTES },
            CodePurpose::SignUp => Letter::SignUp { url, minutes: CODE_MINUTES },
            _ => Letter::SignIn { url, minutes: CODE_MINUTES },
        };
        let chosen = owner.map(|account| users::by_account(tx, account)).transpose()?.and_then(|user| user.locale);
        prepared.send(tx, (owner, chosen.unwrap_or(language)), &letter, now)
    })
}

/// Sends a letter to the address that is to become the user's.
pub fn ask_address(app: &App, user: &User, email: &Email, (mark, language): (&str, Language)) -> Result<()> {
    require_mail(app)?;
    let prepared = Prepared::new(app, email, mark)?;
    let (user, now) = (user.clone(), app.clock.now());
    audit::write(app, move |tx, trail| {
        prepared.refuse_too_many(tx, now)?;
        trail.add(tx, "address_change_asked", &user.id, None)?;
        let code = Code { account: Some(user.account), ..prepared.code(CodePurpose::Address, now) };
        codes::add(tx, &prepared.hash, &code)?;
        let letter = Letter::AddressChange { url: prepared.url.clone(), minutes: CODE_MINUTES };
        prepared.send(tx, (Some(user.account), language), &letter, now)
    })
}

fn require_mail(app: &App) -> Result<()> {
    if mail::is_configured(app) {
        return Ok(());
    }
    Err(PersonRefusal::NoLetters.into())
}

/// A code with its secret, and where the letter goes.
struct Prepared {
    hash: [u8; 32],
    url: String,
    reason: String,
    email: Email,
    mark: [u8; 32],
}

impl Prepared {
    fn new(app: &App, email: &Email, mark: &str) -> Result<Prepared> {
        let secret = id::secret("")?;
        Ok(Prepared {
            hash: id::secret_hash(&secret),
            url: app.url(&format!("/confirm?code={secret}")),
            reason: id::ordered_id("code", app.clock.now())?,
            email: email.clone(),
            mark: id::secret_hash(mark),
        })
    }

    fn code(&self, purpose: CodePurpose, now: Timestamp) -> Code {
        Code {
            purpose,
            account: None,
            address: self.email.as_str().to_owned(),
            browser: Some(self.mark),
            password: None,
            invite: None,
            created_at: now,
            expires_at: now.plus_seconds(CODE_MINUTES * 60),
        }
    }

    fn refuse_too_many(&self, tx: &mut dyn Tx, now: Timestamp) -> Result<()> {
        if codes::count_open(tx, now, CODES_LIMIT)? < CODES_LIMIT {
            return Ok(());
        }
        let detail = "Very many letters were asked for in the last minutes. Try again in ten.".to_owned();
        Err(Refused::Unavailable { retry_after: 600, detail }.into())
    }

    fn send(
        &self,
        tx: &mut dyn Tx,
        (account, language): (Option<i64>, Language),
        letter: &Letter,
        now: Timestamp,
    ) -> Result<()> {
        let to = Recipient::at(account, self.email.as_str()).in_language(language);
        // What becomes of it changes no answer: an address that gets no more letters today must not be told from others.
        mail::queue(tx, now, &to, &self.reason, letter).map(drop)
    }
}

/// What a letter's link shows before its button is pressed.
#[derive(Clone, Debug)]
pub struct CodeView {
    pub purpose: CodePurpose,
    /// Whose; none of a sign-up.
    pub user: Option<User>,
    /// Where the letter went.
    pub address: String,
    /// Whether this is the browser that asked for it.
    pub is_same_browser: bool,
    /// Whether a password was typed at the sign-up.
    pub has_password: bool,
}

/// What the link of a letter is for; `None` when it is unknown, used or too old. Looking changes nothing.
pub fn look(app: &App, code: &str, browser: &Browser) -> Result<Option<CodeView>> {
    let (hash, now) = (id::secret_hash(code), app.clock.now());
    app.store.read(|tx| {
        let Some(code) = codes::find(tx, &hash, now)? else { return Ok(None) };
        let user = code.account.map(|account| users::by_account(tx, account)).transpose()?;
        if user.is_none() && code.purpose != CodePurpose::SignUp {
            return Ok(None);
        }
        Ok(Some(CodeView {
            is_same_browser: is_asker(&code, browser),
            purpose: code.purpose,
            has_password: code.password.is_some(),
            address: code.address,
            user,
        }))
    })
}

/// Whether this browser asked for the letter.
pub(super) fn is_asker(code: &Code, browser: &Browser) -> bool {
    code.browser.is_some() && code.browser == browser.mark.as_deref().map(id::secret_hash)
}

/// An address that was stored by us.
pub(super) fn stored_email(text: &str) -> Result<Email> {
    Email::parse(text).ok_or_else(|| Fault::bare("a stored address cannot be read").into())
}
