//! Units of welcome: given once to each verified address, for ever, also after the account was erased, and once to each
//! account. Invitations to make an account are here too.

use std::sync::Arc;

use crate::actor::Actor;
use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::email::Email;
use crate::error::{Refused, Result};
use crate::id;
use crate::ledger::{self, Credit, Kind, Units};
use crate::mail::letter::Letter;
use crate::store::codes::{self, Invite};
use crate::store::{Tx, entries};
use crate::usecase::audit;
use crate::usecase::mail::{self, Recipient};
use crate::usecase::units::posting::{self, PostingContext};
use crate::usecase::units::request::Note;

/// What the ledger says of them.
const NOTE: &str = "Welcome";
/// How long an invitation works.
const INVITE_SECONDS: i64 = 14 * DAY_SECONDS;

/// The reason of the entry that gives them.
fn reason(account: i64) -> String {
    format!("grant_welcome_{account}")
}

/// Whether it is they that this entry of the account gave.
pub fn is_reason(account: i64, of_entry: &str) -> bool {
    of_entry == reason(account)
}

/// What is given to a person who proves an address for the first time.
#[derive(Clone)]
pub(super) struct Welcome {
    units: Option<Units>,
    /// For a database that has no salt yet.
    salt: [u8; 32],
    context: Arc<PostingContext>,
}

impl Welcome {
    pub(super) fn prepare(app: &App) -> Result<Welcome> {
        Ok(Welcome {
            units: Units::new(app.catalog.selling.welcome_units),
            salt: id::random_bytes::<32>()?,
            context: Arc::new(PostingContext { actor: Actor::till(), ..PostingContext::now(app) }),
        })
    }

    /// Gives the units, and returns how many, unless the address or the account was given them before.
    pub(super) fn give(&self, tx: &mut dyn Tx, account: i64, email: &Email, now: Timestamp) -> Result<Option<i64>> {
        let Some(units) = self.units else { return Ok(None) };
        let reason = reason(account);
        let salt = codes::address_salt(tx, &self.salt)?;
        let digest = id::digest(&[&salt[..], email.canonical().as_bytes()].concat());
        // Both are claimed before anything is given: an account that changes its address gets nothing for the next one.
        let is_first = codes::claim_welcome(tx, &digest, now)?;
        if !is_first || entries::by_reason(tx, account, &reason)?.is_some() {
            return Ok(None);
        }
        let mut context = PostingContext::clone(&self.context);
        let before = posting::open(tx, &mut context, account, None)?;
        let note = Some(Note::parse(NOTE.to_owned())?.to_entry_note()?);
        let credit = Credit { kind: Kind::Grant, units, reason, note, expires_at: None, cost: None };
        let posting = ledger::credit(&before.account, credit, now).map_err(posting::refused)?;
        posting::post(tx, &mut context, &before, &posting, None)?;
        Ok(Some(units.count()))
    }
}

/// Makes an invitation, for one address or for any, and sends it there if `is_sent`. Returns its link and until when it works.
pub fn invite(app: &App, address: Option<&Email>, is_sent: bool) -> Result<(String, Timestamp)> {
    if is_sent && (address.is_none() || !mail::is_configured(app)) {
        let detail =
            "An invitation is sent to an address, where a mail server is set up: give both, or print the link.";
        return Err(Refused::InvalidRequest(detail.into()).into());
    }
    let secret = id::secret("")?;
    let (hash, now) = (id::secret_hash(&secret), app.clock.now());
    let invite = Invite {
        address: address.map(|email| email.canonical().to_owned()),
        expires_at: now.plus_seconds(INVITE_SECONDS),
    };
    let url = app.url(&format!("/signup?invite={secret}"));
    let (letter, reason) = (Letter::Invite { url: url.clone() }, id::ordered_id("invite", now)?);
    let to = address.filter(|_| is_sent).map(|email| Recipient::at(None, email.as_str()));
    let until = invite.expires_at;
    audit::write(app, move |tx, trail| {
        trail.add(tx, "invited", &reason, None)?;
        codes::add_invite(tx, &hash, &invite, now)?;
        if let Some(to) = &to {
            mail::queue(tx, now, to, &reason, &letter)?;
        }
        Ok(())
    })?;
    Ok((url, until))
}
