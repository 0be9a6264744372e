//! Who may make an account by themselves: everybody, who is invited, or nobody. All ways to make one ask here.

use crate::app::App;
use crate::clock::Timestamp;
use crate::config::Signup;
use crate::email::Email;
use crate::error::Result;
use crate::id;
use crate::language::refusal::PersonRefusal;
use crate::store::{Tx, codes};
use crate::usecase::mail;

/// Who may make an account by a letter now: nobody, where none can be sent.
pub fn signup(app: &App) -> Signup {
    if mail::is_configured(app) { app.config.signup } else { Signup::Closed }
}

/// The same, where a provider of OpenID Connect may prove people too.
pub fn signup_by_any(app: &App) -> Signup {
    if app.config.oidc.is_some() { app.config.signup } else { signup(app) }
}

/// Whether an invitation works.
pub fn is_invited(app: &App, invite: &str) -> Result<bool> {
    let (hash, now) = (id::secret_hash(invite), app.clock.now());
    Ok(app.store.read(|tx| codes::find_invite(tx, &hash, now))?.is_some())
}

/// Why somebody may not make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAdmitted {
    /// Nobody makes one.
    Closed,
    /// Without an invitation, or by one that is unknown, used or too old.
    Uninvited,
    /// The invitation is for another address.
    InvitedElsewhere,
}

impl From<NotAdmitted> for PersonRefusal {
    fn from(reason: NotAdmitted) -> PersonRefusal {
        match reason {
            NotAdmitted::Closed => PersonRefusal::SignUpClosed,
            NotAdmitted::Uninvited => PersonRefusal::Uninvited,
            NotAdmitted::InvitedElsewhere => PersonRefusal::InvitedElsewhere,
        }
    }
}

/// Who may make an account, and with what somebody comes.
#[derive(Clone, Copy)]
pub(super) struct Admission<'a> {
    pub signup: Signup,
    /// The hash of the invitation that they have.
    pub invite: Option<&'a [u8; 32]>,
    /// The address that is theirs, or for which a letter is asked.
    pub address: Option<&'a Email>,
}

impl Admission<'_> {
    /// Whether they may make one, and the invitation by which; none where everybody may and they bring none that works.
    pub(super) fn look(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
    ) -> Result<std::result::Result<Option<[u8; 32]>, NotAdmitted>> {
        if self.signup == Signup::Closed {
            return Ok(Err(NotAdmitted::Closed));
        }
        let found = match self.invite {
            Some(hash) => codes::find_invite(tx, hash, now)?.map(|invite| (*hash, invite.address)),
            None => None,
        };
        Ok(match found {
            Some((_, Some(address))) if self.address.map(Email::canonical) != Some(address.as_str()) => {
                Err(NotAdmitted::InvitedElsewhere)
            }
            Some((hash, _)) => Ok(Some(hash)),
            None if self.signup == Signup::Invite => Err(NotAdmitted::Uninvited),
            None => Ok(None),
        })
    }

    /// The same, and uses the invitation up.
    pub(super) fn enter(&self, tx: &mut dyn Tx, now: Timestamp) -> Result<std::result::Result<(), NotAdmitted>> {
        let invite = match self.look(tx, now)? {
            Ok(invite) => invite,
            Err(reason) => return Ok(Err(reason)),
        };
        match invite {
            Some(hash) if !codes::take_invite(tx, &hash, now)? => Ok(Err(NotAdmitted::Uninvited)),
            _ => Ok(Ok(())),
        }
    }
}
