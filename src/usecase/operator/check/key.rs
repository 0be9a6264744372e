//! The key: whether Stripe takes it, whose it is, and what it may do. With it comes the clock, because Stripe's first
//! answer says what time it is.

use super::PATIENCE;
use super::finding::{Finding, bad, good, open};
use crate::app::App;
use crate::clock::Deadline;
use crate::stripe::permissions::{NEEDED, Permission, READS_PRICES};
use crate::stripe::{Stripe, StripeErrorKind};
use crate::usecase::operator::clock;
use crate::usecase::operator::stripe_account::{Standing, mode_word};

/// The finding about the account.
pub(super) const ACCOUNT: &str = "Stripe account";
/// How far our clock may be from Stripe's: half of what a webhook's signature tolerates.
const CLOCK_SECONDS: i64 = 150;

/// Whether a key may read prices, which the first call asks for.
pub(super) enum PricesPermission {
    Granted,
    Lacking,
}

/// The key cannot be used at all.
pub(super) struct Unusable;

/// What the first call shows. Nothing more can be asked with a key that Stripe does not know.
pub(super) fn key_and_clock(app: &App, stripe: &Stripe) -> (Result<PricesPermission, Unusable>, Vec<Finding>) {
    let time = match stripe.ping(Deadline::after(PATIENCE)) {
        Ok(time) => time,
        Err(error) => {
            let is_lacking = matches!(error.kind, StripeErrorKind::Forbidden { .. });
            let mut found = vec![bad("Stripe key", error.to_operator())];
            found.extend(clock::fault(app).map(|what| bad("clock", what)));
            return (if is_lacking { Ok(PricesPermission::Lacking) } else { Err(Unusable) }, found);
        }
    };
    let mode = mode_word(stripe.is_live());
    let skew = time.map(|time| time.seconds() - app.clock.wall().seconds());
    let clock = match (skew, clock::fault(app)) {
        (None, _) => bad("clock", "Stripe did not say what time it is".to_owned()),
        (Some(skew), None) if skew.abs() <= CLOCK_SECONDS => good("clock", format!("{skew} s from Stripe's")),
        (Some(skew), fault) => {
            let fault = fault.map(|what| format!(". {what}")).unwrap_or_default();
            bad("clock", format!("{skew} s from Stripe's: webhooks will be refused; set up NTP{fault}"))
        }
    };
    (Ok(PricesPermission::Granted), vec![good("Stripe key", format!("is taken, in {mode} mode")), clock])
}

/// The account, which is the database's.
pub(super) fn account(stripe: &Stripe, standing: &Standing) -> Finding {
    let account = match standing {
        Standing::Confirmed(account) => account,
        Standing::Unasked(error) => return bad(ACCOUNT, error.to_operator()),
        Standing::Refused(reason) => return bad(ACCOUNT, reason.clone()),
    };
    let Some(id) = &account.id else {
        return open(
            ACCOUNT,
            "the key cannot tell: it may not read its account, and Stripe did not name it".to_owned(),
        );
    };
    // An account that is not activated yet takes test payments.
    if stripe.is_live() && account.takes_charges == Some(false) {
        let detail = format!("{id} may not take payments yet: finish its activation in Stripe's dashboard");
        return bad(ACCOUNT, detail);
    }
    good(ACCOUNT, format!("{id}, which the database belongs to"))
}

/// Asks for each permission once; for that of prices the first call did.
pub(super) fn permissions(stripe: &Stripe, of_prices: &PricesPermission) -> Finding {
    let what = "key permissions";
    let mut lacking = vec![];
    for permission in &NEEDED {
        let answer = match (permission.slug, of_prices) {
            (READS_PRICES, PricesPermission::Granted) => Ok(true),
            (READS_PRICES, PricesPermission::Lacking) => Ok(false),
            _ => stripe.has_permission(permission, Deadline::after(PATIENCE)),
        };
        match answer {
            Ok(true) => {}
            Ok(false) => {
                let Permission { name, access, purpose, .. } = permission;
                lacking.push(format!("{name} ({}), which {purpose}", access.word()));
            }
            Err(error) => {
                return bad(what, format!("{} could not be asked about: {}", permission.name, error.to_operator()));
            }
        }
    }
    match lacking.is_empty() {
        true => good(what, format!("all {} that are needed", NEEDED.len())),
        false => {
            let lacking = lacking.join("; ");
            bad(what, format!("the key lacks {lacking}. Edit the key in Stripe's dashboard: till stripe permissions"))
        }
    }
}
