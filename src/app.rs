//! The appliance's parts, held together: the same type in the binary and in tests.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::error::Fault;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::stripe::{Stripe, StripeOptions};

/// Everything that a use case may need.
pub struct App {
    /// How it is set up.
    pub config: Config,
    /// What is on sale.
    pub catalog: Arc<Catalog>,
    /// Where the time comes from.
    pub clock: Clock,
    /// The books.
    pub store: Store,
    /// What is counted.
    pub metrics: Metrics,
    stripe: Option<Stripe>,
}

impl App {
    /// Opens the database and makes ready to talk to Stripe, when there is a key to do so.
    pub fn open(config: Config, clock: Clock) -> Result<App, Fault> {
        let Database::File(path) = &config.database else {
            return Err(Fault::bare("this till keeps its books in SQLite only: give SPRITE_DATABASE a file path"));
        };
        let store = Store::open(path, &clock)?;
        let key = config.stripe.secret_key.clone();
        let stripe = key.map(|key| Stripe::new(StripeOptions::new(key, &config.stripe.api_base))).transpose()?;
        let metrics = Metrics::new(store.figures());
        Ok(App { catalog: Arc::new(config.catalog.clone()), clock, store, metrics, stripe, config })
    }

    /// The way to Stripe. A command that needs it has asked for its key when the configuration was read.
    pub fn stripe(&self) -> Result<&Stripe, Fault> {
        self.stripe.as_ref().ok_or_else(|| Fault::bare("SPRITE_STRIPE_SECRET_KEY is not set"))
    }

    /// An absolute URL of ours.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.base_url.as_str())
    }
}
