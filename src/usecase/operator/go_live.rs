//! `till go-live`: from test mode to live mode. What was bought with test money is set apart, kept in a file or a schema of its own:
//! it is not counted and cannot be spent, and no customer id of test mode is ever sent to the live account. Users, tokens
//! and the endpoints of outgoing webhooks stay.

use std::time::Duration;

use crate::app::App;
use crate::clock::{Deadline, rfc3339};
use crate::error::{Fault, Refused, Result};
use crate::store::SetApart;
use crate::store::stripe_account::{self, BoundAccount, Contents};
use crate::usecase::operator::stripe_account::{Standing, confirm, mode_of_books};

const PATIENCE: Duration = Duration::from_secs(30);

/// What was done, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoLive {
    /// The account of the live key, if the key can tell.
    pub account: Option<String>,
    /// Where the test data lies; `None` if there was nothing to set apart.
    pub set_apart: Option<SetApart>,
    /// What the database held before.
    pub before: Contents,
    /// Whether it was live already.
    pub was_live: bool,
}

/// Sets the test data apart and binds the database to the live key. The caller holds the lock of `till serve`. With
/// `dry_run` it only says what it would do. On a database that is live already it changes nothing.
pub fn go_live(app: &App, dry_run: bool) -> Result<GoLive> {
    let stripe = app.stripe()?;
    if !stripe.is_live() {
        let what = "SPRITE_STRIPE_SECRET_KEY is a test mode key: set the live key (sk_live_… or rk_live_…) first, and the \
                    live endpoint's SPRITE_STRIPE_WEBHOOK_SECRET";
        return Err(Refused::InvalidRequest(what.to_owned()).into());
    }
    let (bound, before) = app.store.read(|tx| Ok((stripe_account::find(tx)?, stripe_account::contents(tx)?)))?;
    // The key must be one that Stripe takes: else nothing could be sold afterwards.
    let account = stripe.account(Deadline::after(PATIENCE)).map_err(|error| Fault::bare(error.to_operator()))?.id;
    let is_test = mode_of_books(app, bound.as_ref())? == Some(false);
    if !is_test {
        // Live already, or not bound: a key of the wrong account is refused in either case.
        if !(dry_run && bound.is_none())
            && let Standing::Refused(reason) = confirm(app)?
        {
            return Err(Refused::InvalidRequest(reason).into());
        }
        return Ok(GoLive { account, set_apart: None, before, was_live: bound.is_some() });
    }
    let now = app.clock.now();
    let aside = aside(app, &rfc3339(now));
    if !dry_run {
        let live = BoundAccount { id: account.clone(), is_live: true, bound_at: now };
        app.store.begin_live(&aside, &live, (app.actor(), now))?;
    }
    Ok(GoLive { account, set_apart: Some(aside), before, was_live: false })
}

/// `till.db` becomes `till-test-20261127T093000Z.db`, beside it; on a server it is the schema `test_20261127t093000z`.
fn aside(app: &App, now: &str) -> SetApart {
    let date: String = now.chars().take(19).filter(|character| character.is_ascii_alphanumeric()).collect();
    let Some(path) = app.store.file() else {
        return SetApart::Schema(format!("test_{}z", date.to_ascii_lowercase()));
    };
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = part(path.file_stem()).unwrap_or_else(|| "till".to_owned());
    let end = part(path.extension()).map(|end| format!(".{end}")).unwrap_or_default();
    SetApart::File(path.with_file_name(format!("{stem}-test-{date}Z{end}")))
}
