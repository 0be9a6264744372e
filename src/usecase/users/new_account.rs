//! An account that somebody makes by themselves, however they prove who they are.

use crate::app::App;
use crate::catalog::MailKind;
use crate::clock::Timestamp;
use crate::email::Email;
use crate::error::{Fault, Result};
use crate::id::{self, UserId};
use crate::language::Language;
use crate::mail::letter::Letter;
use crate::store::users::{self, User};
use crate::store::{Tx, identities, mails};
use crate::usecase::audit::Trail;
use crate::usecase::mail::{self, Recipient};
use crate::usecase::users::welcome::Welcome;

/// An account that is about to be made.
#[derive(Clone)]
pub(super) struct NewAccount {
    id: UserId,
    language: Language,
    welcome: Welcome,
    sends_welcome: bool,
    now: Timestamp,
}

impl NewAccount {
    /// The browser's language becomes that of the account.
    pub(super) fn prepare(app: &App, language: Language) -> Result<NewAccount> {
        Ok(NewAccount {
            id: UserId::new(&random_id()?).ok_or_else(|| Fault::bare("a made id is none"))?,
            language,
            welcome: Welcome::prepare(app)?,
            sends_welcome: mail::sends(app, MailKind::Welcome),
            now: app.clock.now(),
        })
    }

    /// Makes it. Returns the units of welcome that it was given.
    pub(super) fn make(
        &self,
        tx: &mut dyn Tx,
        trail: &mut Trail,
        name: Option<&str>,
        (email, is_verified): (Option<&Email>, bool),
        how: Option<&str>,
    ) -> Result<(User, Option<i64>)> {
        let (user, _) = users::put(tx, &self.id, email.map(Email::as_str), name, self.now)?;
        trail.is_done_by_user(&user.id);
        trail.add(tx, "signed_up", &user.id, how.map(str::to_owned))?;
        users::set_locale(tx, user.account, self.language)?;
        let Some(email) = email.filter(|_| is_verified) else { return Ok((user, None)) };
        identities::set_address(tx, user.account, email, self.now)?;
        mails::claim(tx, user.account, email.as_str())?;
        let units = self.welcome.give(tx, user.account, email, self.now)?;
        if self.sends_welcome {
            let to = Recipient::at(Some(user.account), email.as_str()).in_language(self.language);
            mail::queue(tx, self.now, &to, &format!("welcome_{}", user.account), &Letter::Welcome {})?;
        }
        Ok((user, units))
    }
}

/// The id of an account that somebody makes by themselves.
fn random_id() -> Result<String> {
    Ok(id::secret("u_")?.chars().take(28).collect())
}
