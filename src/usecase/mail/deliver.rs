//! Letters leave the outbox. At least once: a letter is marked after the mail server's answer, so a crash in between sends it
//! again under the same message id. Reading, sending and recording are separate steps, because no transaction may wait for
//! the network.

use lettre::Message;

use crate::app::App;
use crate::backoff;
use crate::catalog::MailKind;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::config::{MailConfig, Mode};
use crate::error::{Fault, Result};
use crate::id;
use crate::language::Language;
use crate::mail::letter::Letter;
use crate::mail::message::{self, Envelope};
use crate::mail::sender::{MailRefusal, MailSender};
use crate::mail::words::ShopWords;
use crate::metrics::MailLabels;
use crate::store::directory::{self, SentRecord};
use crate::store::mails::{self, DueMail, MailOutcome};
use crate::usecase::batches;
use crate::usecase::mail::NEWS_SECONDS;
use crate::usecase::mail::unsubscribe;

/// Letters that are read at once.
const BATCH: i64 = 16;
/// Old rows removed in one transaction.
const REMOVE_BATCH: i64 = 500;
/// Transactions of one clean-up.
const REMOVE_BATCHES: usize = 20;
const KEPT_SECONDS: i64 = 90 * DAY_SECONDS;
/// How long a letter that was given up is worth the operator's attention.
pub const FAILED_SHOWN_DAYS: i64 = 7;
/// Characters of an error that are kept; the table takes a few more.
const ERROR_LIMIT: usize = 200;

/// A letter that is due, as the mail server takes it.
pub struct PreparedMail {
    due: DueMail,
    /// Why it is not handed over at all, in place of the message.
    message: std::result::Result<Message, String>,
}

impl PreparedMail {
    /// Hands it over. A letter that cannot be written is refused for good, so that it does not hold up the others.
    pub fn send(&self, sender: &MailSender) -> std::result::Result<(), MailRefusal> {
        match &self.message {
            Ok(message) => sender.send(message),
            Err(why) => Err(MailRefusal { is_final: true, is_answered: true, detail: why.clone() }),
        }
    }
}

/// The way to the mail server; `None` where there is none.
pub fn sender(app: &App) -> Result<Option<MailSender>> {
    let mail = app.config.mail.as_ref();
    Ok(mail.map(|mail| MailSender::new(mail, &app.config.base_url.host())).transpose()?)
}

/// Letters that were given up, the latest first, with the address of each.
pub fn failed(app: &App, limit: i64) -> Result<Vec<(Option<String>, SentRecord)>> {
    app.store.read(|tx| directory::failed_mails(tx, limit))
}

/// Whether a letter is due.
pub fn is_due(app: &App) -> Result<bool> {
    let now = app.clock.now();
    app.store.read(|tx| mails::is_due(tx, now))
}

/// The letters that are due now.
pub fn due(app: &App) -> Result<Vec<PreparedMail>> {
    let Some(mail) = &app.config.mail else { return Ok(vec![]) };
    let now = app.clock.now();
    let due = app.store.read(|tx| mails::due(tx, now, BATCH))?;
    due.into_iter()
        .map(|due| {
            let message = match is_stale(&due, now) {
                true => Err("it is too late for it".to_owned()),
                false => written(app, mail, &due)?.map_err(|fault| fault.to_string()),
            };
            Ok(PreparedMail { due, message })
        })
        .collect()
}

/// Records the result of an attempt: sent, to be tried again later, or given up.
pub fn record(app: &App, mail: &PreparedMail, sent: &std::result::Result<(), MailRefusal>) -> Result<MailOutcome> {
    let (now, number) = (app.clock.now(), mail.due.number);
    let outcome = match sent {
        Ok(()) => MailOutcome::Sent,
        Err(refusal) => after(&mail.due, refusal, now, app.clock.is_plausible())?,
    };
    let error: Option<String> = sent.as_ref().err().map(|refusal| refusal.detail.chars().take(ERROR_LIMIT).collect());
    app.store.write(move |tx| mails::record_attempt(tx, number, now, error.as_deref(), outcome))?;
    log(app, &mail.due, sent, outcome);
    Ok(outcome)
}

/// How many letters wait, and how many were given up in the last week.
pub fn count(app: &App) -> Result<(i64, i64)> {
    let since = app.clock.now().plus_seconds(-FAILED_SHOWN_DAYS * DAY_SECONDS);
    app.store.read(|tx| mails::count(tx, since))
}

/// Removes what was sent or given up a quarter of a year ago; nothing while the clock is implausible. Returns the number of
/// rows.
pub fn remove_old(app: &App) -> Result<usize> {
    if !app.clock.is_plausible() {
        return Ok(0);
    }
    let before = app.clock.now().plus_seconds(-KEPT_SECONDS);
    batches::run(REMOVE_BATCHES, || app.store.write(move |tx| mails::remove_old(tx, before, REMOVE_BATCH)))
}

/// Sends a letter to the sender's own address now, and says which server took it. Nothing of it is stored.
pub fn test(app: &App) -> Result<Option<String>> {
    let (Some(mail), Some(sender)) = (&app.config.mail, sender(app)?) else { return Ok(None) };
    let to = mail.from.email.to_string();
    let envelope = Envelope {
        from: &mail.from,
        to: &to,
        id: &id::ordered_id("test", app.clock.now())?,
        at: app.clock.now(),
        unsubscribe_url: None,
    };
    let message = message::message(&words(app, Language::default()), &Letter::Test {}, &envelope)?;
    sender.send(&message).map_err(|refusal| Fault::bare(format!("{}: {}", sender.server(), refusal.detail)))?;
    Ok(Some(format!("{} took a letter to {to}", sender.server())))
}

fn words(app: &App, language: Language) -> ShopWords<'_> {
    let is_test = app.config.stripe.mode() == Some(Mode::Test);
    ShopWords { catalog: &app.catalog, language, dashboard_url: app.topup_url(), is_test }
}

fn written(app: &App, mail: &MailConfig, due: &DueMail) -> Result<std::result::Result<Message, Fault>> {
    let Ok(letter) = serde_json::from_str::<Letter>(&due.fields) else {
        return Ok(Err(Fault::bare("this version cannot read the letter")));
    };
    let unsubscribe_url = match due.account.filter(|_| letter.kind().is_optional()) {
        Some(account) => Some(unsubscribe::url(app, account, letter.kind())?),
        None => None,
    };
    let envelope =
        Envelope { from: &mail.from, to: &due.to_address, id: &due.reason, at: due.created_at, unsubscribe_url };
    let language = Language::of_tag(&due.locale).unwrap_or_default();
    Ok(message::message(&words(app, language), &letter, &envelope))
}

/// Whether a letter is worth nothing any more: its link has ended, or what it tells is old, as after a long outage.
fn is_stale(due: &DueMail, now: Timestamp) -> bool {
    let has_link = MailKind::parse(&due.kind).is_some_and(MailKind::is_asked_for);
    let end = if has_link { due.give_up_at } else { due.created_at.plus_seconds(NEWS_SECONDS) };
    now >= end
}

/// Nothing is given up for its age while the clock is implausible.
fn after(
    due: &DueMail,
    refusal: &MailRefusal,
    now: Timestamp,
    is_plausible: bool,
) -> std::result::Result<MailOutcome, Fault> {
    if refusal.is_final || (now >= due.give_up_at && is_plausible) {
        return Ok(MailOutcome::Failed);
    }
    let random = u64::from_le_bytes(id::random_bytes()?);
    let wait = backoff::notification_wait_millis(due.attempts.saturating_add(1), None, random);
    let next = Timestamp::from_millis(now.millis().saturating_add(wait));
    Ok(MailOutcome::Again(if is_plausible { next.min(due.give_up_at) } else { next }))
}

/// Neither the address nor what the letter says.
fn log(app: &App, due: &DueMail, sent: &std::result::Result<(), MailRefusal>, outcome: MailOutcome) {
    let (mail, attempts) = (due.number, due.attempts + 1);
    let kind = MailKind::parse(&due.kind).map_or("other", MailKind::as_str);
    let said = sent.as_ref().err().map(|refusal| refusal.detail.as_str());
    let status = match outcome {
        MailOutcome::Sent => {
            tracing::debug!(event = "mail_sent", mail, kind, attempts);
            "sent"
        }
        MailOutcome::Again(_) => {
            tracing::warn!(event = "mail_not_sent", mail, kind, attempts, said);
            "delayed"
        }
        MailOutcome::Failed => {
            tracing::error!(event = "mail_given_up", mail, kind, attempts, said);
            "failed"
        }
    };
    app.metrics.mails.get_or_create(&MailLabels { kind, status }).inc();
}
