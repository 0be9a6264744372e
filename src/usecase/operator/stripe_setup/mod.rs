//! `till stripe setup`: makes at Stripe what the catalogue needs, once, and says what to put into the configuration. What
//! is there already is found by what it is: a configured price, one that holds the lookup key or belongs to the product,
//! an endpoint that leads here. It needs no database.

mod endpoints;
mod portal;
mod prices;

use std::time::Duration;

use crate::catalog::Offer;
use crate::clock::{Deadline, Timestamp};
use crate::config::Config;
use crate::error::{Error, Fault, Refused, Result};
use crate::id;
use crate::stripe::{Stripe, StripeError};

const PATIENCE: Duration = Duration::from_secs(60);

/// What the set-up works with.
#[derive(Clone, Copy, Debug)]
pub struct SetupContext<'a> {
    pub config: &'a Config,
    pub stripe: &'a Stripe,
    pub now: Timestamp,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Make no webhook endpoint: Stripe is asked for its events.
    pub no_webhook: bool,
    /// Webhook endpoints to disable.
    pub disable: &'a [String],
    deadline: Deadline,
}

impl<'a> SetupContext<'a> {
    /// A set-up that makes what is missing and disables nothing.
    pub fn new(config: &'a Config, stripe: &'a Stripe, now: Timestamp) -> SetupContext<'a> {
        SetupContext {
            config,
            stripe,
            now,
            dry_run: false,
            no_webhook: false,
            disable: &[],
            deadline: Deadline::after(PATIENCE),
        }
    }

    /// An idempotency key. What is made is found again by what it is, so each run has keys of its own.
    fn key(&self) -> SetupResult<String> {
        Ok(id::ordered_id("setup", self.now)?)
    }
}

/// What was found, made, or would be made.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// One line for each thing.
    pub steps: Vec<String>,
    /// Variables and their values, for the `.env`.
    pub variables: Vec<(String, String)>,
}

/// Why the set-up stopped. An operator reads Stripe's own reason, not the words for buyers.
enum SetupFailure {
    OfStripe(StripeError),
    Other(Error),
}

type SetupResult<T> = std::result::Result<T, SetupFailure>;

impl From<StripeError> for SetupFailure {
    fn from(error: StripeError) -> SetupFailure {
        SetupFailure::OfStripe(error)
    }
}

impl From<Fault> for SetupFailure {
    fn from(fault: Fault) -> SetupFailure {
        SetupFailure::Other(fault.into())
    }
}

impl From<Refused> for SetupFailure {
    fn from(refused: Refused) -> SetupFailure {
        SetupFailure::Other(refused.into())
    }
}

/// Sets Stripe up. What is in `setup` is done, also if a later step fails.
pub fn set_up(context: &SetupContext<'_>, setup: &mut Setup) -> Result<()> {
    steps(context, setup).map_err(|failure| match failure {
        SetupFailure::OfStripe(error) => Fault::bare(error.to_operator()).into(),
        SetupFailure::Other(error) => error,
    })
}

fn steps(context: &SetupContext<'_>, setup: &mut Setup) -> SetupResult<()> {
    let mut plans = Some(vec![]);
    for offer in context.config.catalog.for_sale() {
        let price = prices::price(context, offer, setup)?;
        if matches!(offer, Offer::Plan(_)) {
            // Without its price, which a dry run does not make, what the portal would offer cannot be told.
            plans = plans.zip(price).map(|(plans, price)| [plans, vec![price]].concat());
        }
    }
    portal::portal(context, plans, setup)?;
    endpoints::endpoints(context, setup)
}
