//! The configuration, checked once, before anything starts. Here are the types that the rest of
//! `till` reads. `sources` finds values, `values` parses each kind, `load` puts them together, `fault` says what is wrong.
//! Nothing else in `till` reads the environment.
//!
//! A flag overrides the environment, which overrides the catalogue file, which overrides the default. Any variable `X` may
//! be given as `X_FILE`, or as a systemd credential named `x`; two of these at once are an error. White space around a
//! value is dropped, and a variable that is then empty counts as unset.

mod environment_file;
mod explanation;
mod fault;
mod load;
mod mail;
mod oidc;
mod origin;
mod proxy;
mod sources;
mod values;
mod variables;

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

pub use environment_file::EnvironmentFile;
pub use explanation::{Explanation, Setting, explain};
pub use fault::ConfigFault;
pub use load::{FaultyConfig, load};
pub use mail::{MailConfig, SmtpServer, TlsMode};
pub use oidc::OidcConfig;
pub use origin::{Origin, in_ascii, origin_of};
pub use proxy::ProxyAuth;
pub use sources::Sources;
pub use values::{database as parse_database, listen as parse_listen};
pub use variables::{VARIABLES, Variable, is_secret};

use crate::catalog::Catalog;
use crate::database::Database;
use crate::secret::Secret;

/// Stripe's own API.
pub const STRIPE_API_BASE: &str = "https://api.stripe.com";

/// A sound configuration, with warnings for the operator.
#[derive(Debug)]
pub struct LoadedConfig {
    pub config: Config,
    /// Unknown names, risky choices.
    pub warnings: Vec<String>,
}

/// What a command requires; a missing variable is then listed with all other faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// For commands that only use the database.
    Nothing,
    StripeKey,
    /// For `serve`: the key, and what only the running service can get wrong.
    Serve,
}

/// The configuration in force, read and checked at the start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The public origin that browsers and Stripe see.
    pub base_url: Origin,
    /// The address to bind, unless systemd hands a socket over.
    pub listen: SocketAddr,
    /// Where the books are kept.
    pub database: Database,
    /// With the environment's prices and units.
    pub catalog: Catalog,
    pub stripe: StripeConfig,
    /// Origins that a `return_url` may have, and that may call `/billing/*` and `/v1/me` from a browser.
    pub return_origins: Vec<Origin>,
    /// Networks whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Where `/metrics` has an address of its own.
    pub metrics_listen: Option<SocketAddr>,
    /// Networks that are not public and that outgoing webhooks may go to, also without TLS.
    pub hook_private_networks: Vec<IpNet>,
    /// How a proxy says who is signed in; `None`: no header is believed.
    pub proxy_auth: Option<ProxyAuth>,
    /// The provider by which people sign in; `None`: no page offers it.
    pub oidc: Option<OidcConfig>,
    /// Who may make an account.
    pub signup: Signup,
    /// How mail is sent; `None`: no mail is sent.
    pub mail: Option<MailConfig>,
    /// How often Stripe is compared with the books; `None` is never.
    pub reconcile_interval: Option<Duration>,
    /// A level or a filter in the syntax of tracing-subscriber's `Targets`.
    pub log: String,
    pub log_format: LogFormat,
    /// Sentences about the database and files with secrets that everybody on the machine can read.
    pub open_files: Vec<String>,
    /// Unknown names, risky choices.
    pub warnings: Vec<String>,
}

/// How to call Stripe, and how to check that an event is Stripe's.
#[derive(Clone, Debug)]
pub struct StripeConfig {
    /// The secret or restricted API key; there when [`Need`] says so.
    pub secret_key: Option<Secret>,
    /// Signing secrets of the webhook endpoint, any of which may sign. Empty where Stripe is asked for its events instead.
    pub webhook_secrets: Vec<Secret>,
    /// How often it is asked then.
    pub poll_interval: Duration,
    /// The origin of Stripe's API, without a trailing slash.
    pub api_base: String,
}

impl StripeConfig {
    /// Whether Stripe is asked for its events, because no webhook can be known to be Stripe's.
    pub fn is_polled(&self) -> bool {
        self.webhook_secrets.is_empty()
    }

    /// What it means that there is no webhook secret; `None` if there is one.
    pub fn polling(&self) -> Option<String> {
        let seconds = self.poll_interval.as_secs();
        self.is_polled().then(|| {
            format!(
                "SPRITE_STRIPE_WEBHOOK_SECRET is not set: serve takes no webhooks, and asks Stripe for its events every \
                 {seconds} s (SPRITE_POLL_INTERVAL). So what happens at Stripe is booked up to {seconds} s later"
            )
        })
    }

    /// Whether the key moves real money; `None` without a key.
    pub fn mode(&self) -> Option<Mode> {
        let key = self.secret_key.as_ref()?.reveal();
        let live = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        Some(if live { Mode::Live } else { Mode::Test })
    }
}

/// Who may make an account by themselves, where mail is sent or there is a provider of OpenID Connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signup {
    #[default]
    Open,
    Closed,
    /// Somebody with an invitation of the operator's.
    Invite,
}

/// Stripe keeps live and test objects apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Live,
    Test,
}

/// How log lines are written: as text, or as JSON lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    /// One JSON object per line.
    Json,
}

#[cfg(test)]
mod tests;
