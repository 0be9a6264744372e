//! Letters to people: written into the outbox in the transaction that they report, so that one that is rolled back is never
//! sent and one that is committed is not lost. A letter is written once for its reason. Sending is in [`deliver`], what
//! somebody does not want in [`unsubscribe`].

pub mod deliver;
pub mod unsubscribe;

use crate::app::App;
use crate::catalog::{Catalog, MailKind};
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::{Fault, Result};
use crate::language::Language;
use crate::mail::letter::Letter;
use crate::mail::message;
use crate::store::mails::{self, NewMail};
use crate::store::{Tx, identities, users};
use crate::usecase::audit;

/// How long a letter is tried.
const PATIENCE_SECONDS: i64 = DAY_SECONDS;
/// Letters of a kind that can be asked for by anybody, to one address in a day: enough for people, too few for a flood.
const ASKED_FOR_LIMIT: i64 = 10;
/// Letters about a low balance to one address in a day: a program may cross the threshold again and again.
const LOW_BALANCE_LIMIT: i64 = 3;
/// Letters of any other kind to one address in a day.
const OTHER_LIMIT: i64 = 50;
/// Nobody is written about what happened longer ago, which an import or a comparison with Stripe finds late.
const NEWS_SECONDS: i64 = 3 * DAY_SECONDS;

/// Who gets a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Absent for somebody who has no account yet.
    pub account: Option<i64>,
    pub address: String,
    pub language: Language,
}

impl Recipient {
    /// Somebody at this address, in the language of people of whom nothing else is known. What cannot be an address gets no
    /// letter, see [`queue`].
    pub fn at(account: Option<i64>, address: &str) -> Recipient {
        Recipient { account, address: address.to_owned(), language: Language::default() }
    }

    /// The same, who reads this language.
    pub fn in_language(self, language: Language) -> Recipient {
        Recipient { language, ..self }
    }
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queueing {
    Queued,
    /// There was one for the same reason before.
    Known,
    /// The person does not want this kind.
    Unwanted,
    /// The address got the most that it may get of this kind in a day.
    TooMany,
    /// It is no address.
    NoAddress,
}

/// A kind of letter that a person may refuse, and whether they want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailChoice {
    pub kind: MailKind,
    pub is_wanted: bool,
}

/// Whether there is a mail server. Without one no page offers what needs mail.
pub fn is_configured(app: &App) -> bool {
    app.config.mail.is_some()
}

/// Whether letters of this kind are sent: there is a mail server, and the operator did not turn the kind off.
pub fn sends(app: &App, kind: MailKind) -> bool {
    app.catalog.mail.sends(kind)
}

/// Who gets the letters about an account: the address that is proved to be its, else the one that a program gave it; `None`
/// while none is known.
pub fn recipient_of(tx: &mut dyn Tx, account: i64) -> Result<Option<Recipient>> {
    let user = users::by_account(tx, account)?;
    let address = identities::address_of(tx, account)?.map(|verified| verified.written).or(user.email);
    let language = user.locale.unwrap_or_default();
    Ok(address.map(|address| Recipient::at(Some(account), &address).in_language(language)))
}

/// Writes a letter into the outbox, once for its reason. Call it only where [`sends`] says that its kind is sent. It never
/// refuses what it belongs to: a letter that is not wanted, or one too many, is left out.
pub fn queue(
    tx: &mut dyn Tx,
    now: Timestamp,
    recipient: &Recipient,
    reason: &str,
    letter: &Letter,
) -> Result<Queueing> {
    let kind = letter.kind();
    if message::address(&recipient.address).is_none() {
        return Ok(Queueing::NoAddress);
    }
    if let Some(account) = recipient.account.filter(|_| kind.is_optional())
        && mails::is_refused(tx, account, kind.as_str())?
    {
        return Ok(Queueing::Unwanted);
    }
    let limit = match kind {
        MailKind::LowBalance => LOW_BALANCE_LIMIT,
        kind if kind.is_asked_for() => ASKED_FOR_LIMIT,
        _ => OTHER_LIMIT,
    };
    if mails::count_to(tx, &recipient.address, kind.as_str(), now.plus_seconds(-DAY_SECONDS))? >= limit {
        return Ok(Queueing::TooMany);
    }
    let patience = letter.lifetime_minutes().map_or(PATIENCE_SECONDS, |minutes| minutes.saturating_mul(60));
    let fields = serde_json::to_string(letter).map_err(|cause| Fault::new("a letter cannot be written", cause))?;
    let mail = NewMail {
        reason,
        account: recipient.account,
        to_address: &recipient.address,
        kind: kind.as_str(),
        locale: recipient.language.tag(),
        fields: &fields,
        now,
        give_up_at: now.plus_seconds(patience.min(PATIENCE_SECONDS)),
    };
    Ok(if mails::add(tx, &mail)? { Queueing::Queued } else { Queueing::Known })
}

/// Writes a letter about something that happened to an account at `at`, if its kind is sent, an address is known, and it is
/// still news.
pub(crate) fn tell(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    (now, at): (Timestamp, Timestamp),
    account: i64,
    reason: &str,
    letter: &Letter,
) -> Result<()> {
    if !catalog.mail.sends(letter.kind()) || at < now.plus_seconds(-NEWS_SECONDS) {
        return Ok(());
    }
    if let Some(recipient) = recipient_of(tx, account)? {
        queue(tx, now, &recipient, reason, letter)?;
    }
    Ok(())
}

/// The kinds that this person may refuse, each with whether they want it. A kind that the operator turned off is left out.
pub fn choices(app: &App, account: i64) -> Result<Vec<MailChoice>> {
    let refused = app.store.read(|tx| mails::refused_kinds(tx, account))?;
    let offered = MailKind::ALL.into_iter().filter(|kind| kind.is_optional() && sends(app, *kind));
    let choice = |kind: MailKind| MailChoice { kind, is_wanted: !refused.iter().any(|word| word == kind.as_str()) };
    Ok(offered.map(choice).collect())
}

/// Remembers whether a person wants a kind of letter. A kind that nobody may refuse stays as it is.
pub fn choose(app: &App, account: i64, kind: MailKind, is_wanted: bool) -> Result<()> {
    if !kind.is_optional() {
        return Ok(());
    }
    let now = app.clock.now();
    audit::write(app, move |tx, trail| {
        if mails::choose(tx, account, kind.as_str(), is_wanted, now)? {
            let user = users::by_account(tx, account)?.id;
            let action = if is_wanted { "mail_wanted" } else { "mail_refused" };
            trail.add(tx, action, &user, kind.as_str().to_owned())?;
        }
        Ok(())
    })
}
