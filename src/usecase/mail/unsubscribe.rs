//! The link with which somebody refuses a kind of letter without a session (RFC 8058). It names the account and the kind, and
//! carries an authentication code of them, keyed with a secret of this database: it works for as long as the database does,
//! and lets its reader do nothing else.

use subtle::ConstantTimeEq;

use crate::app::App;
use crate::catalog::MailKind;
use crate::error::Result;
use crate::id;
use crate::store::{mails, users};
use crate::usecase::audit;

/// Where the link leads, with its token: the page shows a button, and a mail program may press it by itself.
pub(super) fn url(app: &App, account: i64, kind: MailKind) -> Result<String> {
    let code = id::hex(&code(&key(app)?, account, kind));
    Ok(app.url(&format!("/unsubscribe?token={account}.{}.{code}", kind.as_str())))
}

/// The account and the kind that a token names; `None` for one that is not ours.
pub fn read(app: &App, token: &str) -> Result<Option<(i64, MailKind)>> {
    let mut parts = token.splitn(3, '.');
    let account = parts.next().and_then(|text| text.parse::<i64>().ok());
    let kind = parts.next().and_then(MailKind::parse).filter(|kind| kind.is_optional());
    let (Some(account), Some(kind), Some(given)) = (account, kind, parts.next()) else { return Ok(None) };
    let Some(key) = app.store.read(mails::key)? else { return Ok(None) };
    let expected = id::hex(&code(&key, account, kind));
    let is_ours: bool = expected.as_bytes().ct_eq(given.as_bytes()).into();
    Ok(is_ours.then_some((account, kind)))
}

/// Refuses the kind that a token names, for the account that it names. `None` for a token that is not ours.
pub fn refuse(app: &App, token: &str) -> Result<Option<MailKind>> {
    let Some((account, kind)) = read(app, token)? else { return Ok(None) };
    let now = app.clock.now();
    audit::write(app, move |tx, trail| {
        let Some(user) = users::of_account(tx, account)? else { return Ok(None) };
        if mails::choose(tx, account, kind.as_str(), false, now)? {
            trail.is_done_by_user(&user.id);
            trail.add(tx, "mail_refused", &user.id, kind.as_str().to_owned())?;
        }
        Ok(Some(kind))
    })
}

fn key(app: &App) -> Result<[u8; 32]> {
    if let Some(key) = app.store.read(mails::key)? {
        return Ok(key);
    }
    let (new, now) = (id::random_bytes::<32>()?, app.clock.now());
    app.store.write(move |tx| mails::keep_key(tx, &new, now))
}

fn code(key: &[u8; 32], account: i64, kind: MailKind) -> [u8; 16] {
    id::keyed_code(key, &format!("unsubscribe {account} {}", kind.as_str()))
}
