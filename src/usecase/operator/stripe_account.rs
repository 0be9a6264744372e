//! Whose key it is. A database belongs to one Stripe account and mode (`docs/rules.md`, rule 13): with another key, the
//! portal would find no customer, plans could not be changed, and units that were bought in test mode could be spent. The
//! first contact with Stripe binds it.

use std::time::Duration;

use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::store::inbox;
use crate::store::stripe_account::{self, BoundAccount};
use crate::stripe::{Stripe, StripeAccount, StripeError, StripeErrorKind};

/// A start does not wait longer for Stripe; the worker asks again.
const PATIENCE: Duration = Duration::from_secs(3);
/// Customers that are asked about where the key cannot tell its account.
const CUSTOMERS: i64 = 3;

/// Whether the key is of the database's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is, as far as the key can tell.
    Confirmed(StripeAccount),
    /// It is not: why, and the way out.
    Refused(String),
    /// The mode is right, and Stripe did not answer.
    Unasked(StripeError),
}

/// Asks whose key it is, binds the database to the account at the first contact, and remembers the answer in `app`.
///
/// A restricted key may not read its account, and then Stripe's refusal nearly always names it. Where it does not, or the
/// database knows no id yet, the newest customers decide: an account that knows none of them is another one.
pub fn confirm(app: &App) -> Result<Standing> {
    let standing = look(app)?;
    match &standing {
        Standing::Confirmed(_) => app.decide_account(None),
        Standing::Refused(reason) => app.decide_account(Some(reason.clone())),
        Standing::Unasked(error) => tracing::warn!(event = "stripe_account_unasked", error = %error),
    }
    Ok(standing)
}

/// For the worker: asks until it is decided. A refusal then ends everything that needs Stripe; units can still be spent.
pub fn confirm_later(app: &App) -> Result<usize> {
    if app.is_account_decided() {
        return Ok(0);
    }
    if let Standing::Refused(reason) = confirm(app)? {
        tracing::error!(event = "stripe_account_refused", reason);
    }
    Ok(0)
}

fn look(app: &App) -> Result<Standing> {
    let stripe = app.stripe()?;
    if let Some(reason) = refusal_by_mode(app)? {
        return Ok(Standing::Refused(reason));
    }
    let bound = app.store.read(stripe_account::find)?;
    let deadline = Deadline::after(PATIENCE);
    let account = match stripe.account(deadline) {
        Ok(account) => account,
        Err(error) if matches!(error.kind, StripeErrorKind::Unavailable | StripeErrorKind::KeyRefused) => {
            return Ok(Standing::Unasked(error));
        }
        // Something that speaks Stripe's API and has no account to show.
        Err(_) => StripeAccount { id: None, takes_charges: None },
    };
    match (bound.as_ref().and_then(|bound| bound.id.as_deref()), account.id.as_deref()) {
        (Some(ours), Some(theirs)) if ours == theirs => return Ok(Standing::Confirmed(account)),
        (Some(ours), Some(theirs)) => return Ok(Standing::Refused(of_another_account(app, ours, theirs))),
        _ => {}
    }
    let customers = app.store.read(|tx| stripe_account::newest_customers(tx, CUSTOMERS))?;
    match unknown_customer(stripe, customers, deadline) {
        Ok(Some(customer)) => return Ok(Standing::Refused(knows_no_customer(app, &customer))),
        Ok(None) => {}
        Err(error) => return Ok(Standing::Unasked(error)),
    }
    bind(app, stripe, account)
}

/// Why the key is not of the books' mode, which Stripe need not be asked for; `None` where it is.
pub fn refusal_by_mode(app: &App) -> Result<Option<String>> {
    let stripe = app.stripe()?;
    let bound = app.store.read(stripe_account::find)?;
    let other = mode_of_books(app, bound.as_ref())?.filter(|is_live| *is_live != stripe.is_live());
    Ok(other.map(|is_live| of_another_mode(app, bound.and_then(|bound| bound.id).as_deref(), is_live)))
}

/// Whether the books are of live mode; `None` if nothing tells. Webhooks may have arrived before Stripe could be asked.
pub(super) fn mode_of_books(app: &App, bound: Option<&BoundAccount>) -> Result<Option<bool>> {
    match bound {
        Some(bound) => Ok(Some(bound.is_live)),
        None => app.store.read(inbox::mode_of_applied),
    }
}

fn bind(app: &App, stripe: &Stripe, account: StripeAccount) -> Result<Standing> {
    let wanted = BoundAccount { id: account.id.clone(), is_live: stripe.is_live(), bound_at: app.clock.now() };
    let binding = wanted.clone();
    let bound = app.store.write(move |tx| stripe_account::bind(tx, &binding))?;
    Ok(match bound {
        // Another process was faster, with another key.
        Some(bound) if bound.is_live != wanted.is_live => {
            Standing::Refused(of_another_mode(app, bound.id.as_deref(), bound.is_live))
        }
        Some(BoundAccount { id: Some(ours), .. }) if account.id.as_ref().is_some_and(|theirs| *theirs != ours) => {
            Standing::Refused(of_another_account(app, &ours, account.id.as_deref().unwrap_or_default()))
        }
        _ => Standing::Confirmed(account),
    })
}

/// One of these customers, if there are any and this key's account knows none of them. A key that may not read customers
/// leaves it open.
fn unknown_customer(
    stripe: &Stripe,
    customers: Vec<String>,
    deadline: Deadline,
) -> std::result::Result<Option<String>, StripeError> {
    for customer in &customers {
        match stripe.knows_customer(customer, deadline) {
            Ok(true) => return Ok(None),
            Ok(false) => {}
            Err(error) if error.kind == StripeErrorKind::Unavailable => return Err(error),
            Err(_) => return Ok(None),
        }
    }
    Ok(customers.into_iter().next())
}

/// The word for a mode of Stripe's.
pub fn mode_word(is_live: bool) -> &'static str {
    if is_live { "live" } else { "test" }
}

fn of_another_mode(app: &App, id: Option<&str>, is_live: bool) -> String {
    let (theirs, ours) = (mode_word(is_live), mode_word(!is_live));
    let database = app.store.database();
    let account = id.map(|id| format!(" of {id}")).unwrap_or_default();
    let way_out = if is_live {
        "Set the live key, or name another database for tests with --database or SPRITE_DATABASE."
    } else {
        "To begin selling for real, stop till serve and run till go-live: it sets the test data apart and keeps users and \
         tokens. Else set the test key, or name another database with --database or SPRITE_DATABASE."
    };
    format!(
        "the database {database} belongs to {theirs} mode{account}, and SPRITE_STRIPE_SECRET_KEY is a {ours} mode key. \
         {way_out}"
    )
}

fn of_another_account(app: &App, ours: &str, theirs: &str) -> String {
    let database = app.store.database();
    format!(
        "the database {database} belongs to the Stripe account {ours}, and SPRITE_STRIPE_SECRET_KEY is a key of {theirs}. \
         Set a key of {ours}, or name another database with --database or SPRITE_DATABASE."
    )
}

fn knows_no_customer(app: &App, customer: &str) -> String {
    let database = app.store.database();
    format!(
        "the Stripe account of SPRITE_STRIPE_SECRET_KEY knows none of the customers in the database {database}, such as \
         {customer}: it is another account, or its test data was deleted. Set the key of the account that the customers \
         belong to, or name another database with --database or SPRITE_DATABASE."
    )
}
