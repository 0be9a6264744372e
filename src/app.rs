//! Everything that a use case needs, in one value. The binary and the tests use the same type.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::actor::Actor;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Fault, Result};
use crate::metrics::Metrics;
use crate::oidc::client::Oidc;
use crate::passkey::RelyingParty;
use crate::store::Store;
use crate::stripe::{Stripe, StripeOptions};

/// What every use case gets: the parts of the appliance, and who calls. The same in the binary and in tests.
#[derive(Clone)]
pub struct App {
    parts: Arc<Parts>,
    actor: Actor,
}

/// The configuration, the clock, the books and Stripe.
pub struct Parts {
    pub config: Config,
    pub catalog: Arc<Catalog>,
    pub clock: Clock,
    pub store: Store,
    pub metrics: Metrics,
    /// The provider by which people sign in.
    pub oidc: Option<Oidc>,
    /// Where browsers have passkeys for the base URL.
    pub passkeys: Option<RelyingParty>,
    stripe: Option<Stripe>,
    standing: OnceLock<Standing>,
}

/// Whether the key is of the Stripe account that the database belongs to.
enum Standing {
    Confirmed,
    /// Why not, and the way out.
    Refused(String),
}

impl App {
    /// Opens the database, and prepares Stripe's client when there is a key for it.
    pub fn open(config: Config, clock: Clock) -> Result<App, Fault> {
        let store = Store::open(&config.database, &clock)?;
        App::with_store(config, store)
    }

    /// The same with a database that is open already.
    pub fn with_store(config: Config, store: Store) -> Result<App, Fault> {
        let clock = store.clock().clone();
        let stripe = stripe_client(&config)?.map(|stripe| stripe.with_clock(clock.clone()));
        let calls = stripe.as_ref().map(|stripe| stripe.figures().clone()).unwrap_or_default();
        let metrics = Metrics::new(store.figures(), &calls, store.engine());
        let catalog = Arc::new(config.catalog.clone());
        let oidc = oidc_client(&config);
        let origin = &config.base_url;
        let passkeys = origin.secure_domain().and_then(|domain| RelyingParty::new(domain, origin.as_str()));
        let standing = OnceLock::new();
        let parts = Parts { catalog, clock, store, metrics, oidc, passkeys, stripe, standing, config };
        Ok(App { parts: Arc::new(parts), actor: Actor::till() })
    }

    /// The same with another catalogue, before anybody works with it.
    pub fn with_catalog(mut self, catalog: Catalog) -> Result<App, Fault> {
        let in_use = || Fault::bare("the catalogue is in use already, and cannot be replaced");
        Arc::get_mut(&mut self.parts).ok_or_else(in_use)?.catalog = Arc::new(catalog);
        Ok(self)
    }

    /// The same, for what this actor asks for.
    pub fn acting_for(&self, actor: Actor) -> App {
        App { parts: Arc::clone(&self.parts), actor }
    }

    /// Who asks for what is done: the audit and the entries name them.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Parts {
    /// Stripe's client. A command that needs it required the key when it read the configuration. There is none for a key
    /// that turned out to be of another account than the database.
    pub fn stripe(&self) -> Result<&Stripe, Fault> {
        if let Some(Standing::Refused(reason)) = self.standing.get() {
            return Err(Fault::bare(reason.clone()));
        }
        self.stripe.as_ref().ok_or_else(no_key)
    }

    /// Whether it is known that the key is, or is not, of the database's account.
    pub fn is_account_decided(&self) -> bool {
        self.standing.get().is_some()
    }

    /// Remembers whether the key is of the database's account. The first decision stays.
    pub fn decide_account(&self, refusal: Option<String>) {
        self.standing.get_or_init(|| refusal.map_or(Standing::Confirmed, Standing::Refused));
    }

    /// The absolute URL of one of our pages.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.base_url.as_str())
    }

    /// Where a user buys more units.
    pub fn topup_url(&self) -> String {
        self.url("/dashboard")
    }
}

/// Stripe's client by the configuration alone: for what needs no database.
pub fn stripe_of(config: &Config) -> Result<Stripe, Fault> {
    stripe_client(config)?.ok_or_else(no_key)
}

fn stripe_client(config: &Config) -> Result<Option<Stripe>, Fault> {
    let key = config.stripe.secret_key.clone();
    key.map(|key| Stripe::new(StripeOptions::new(key, &config.stripe.api_base))).transpose()
}

fn oidc_client(config: &Config) -> Option<Oidc> {
    let provider = config.oidc.clone()?;
    Some(Oidc::new(provider, format!("{}/login/oidc/callback", config.base_url.as_str())))
}

fn no_key() -> Fault {
    Fault::bare("SPRITE_STRIPE_SECRET_KEY is not set")
}
