//! The configuration: what the operator says, checked once, before anything starts. Contract, section 1. Here live the
//! types that the rest of `till` reads. `sources` finds values, `values` reads each kind, `load` puts them together,
//! `fault` says what is wrong. Nothing else in `till` reads the environment.
//!
//! A flag goes before the environment, that before the catalogue file, that before the default. Any variable `X` may
//! be given as `X_FILE`, or as a systemd credential named `x`; two of these at once are an error. White space around
//! a value is dropped, and a variable that is then empty counts as unset.

mod fault;
mod load;
mod origin;
mod sources;
mod values;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub use fault::ConfigFault;
pub use load::load;
pub use origin::{Origin, in_ascii, origin_of};
pub use sources::Sources;
pub use variables::{NOT_USED_YET, VARIABLES, Variable};

use crate::catalog::Catalog;
use crate::secret::Secret;

/// Stripe's own API.
pub const STRIPE_API_BASE: &str = "https://api.stripe.com";

/// What [`load`] answers: a sound configuration, and what the operator should still hear.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Sentences for the log: unknown names, variables that this version does not use, risky choices.
    pub warnings: Vec<String>,
}

/// What a command cannot do without, so that its absence is listed beside all other faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Works on the books alone.
    Nothing,
    /// Talks to Stripe.
    StripeKey,
    /// Talks to Stripe and hears from it: `serve`.
    StripeKeyAndWebhookSecret,
}

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// The public origin that browsers and Stripe see.
    pub base_url: Origin,
    /// The address to bind, unless systemd hands a socket over.
    pub listen: SocketAddr,
    /// Where the books are.
    pub database: Database,
    /// What is on sale, the environment's prices and units included.
    pub catalog: Catalog,
    /// How to reach Stripe and to know it.
    pub stripe: StripeConfig,
    /// Origins that a `return_url` may have, and that may call `/billing/*` and `/v1/me` from a browser.
    pub return_origins: Vec<Origin>,
    /// Networks whose forwarding headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks that are not public and that outgoing webhooks may go to, also without TLS.
    pub hook_private_networks: Vec<IpNet>,
    /// Who may make an account.
    pub signup: Signup,
    /// The header, lower case, in which a trusted proxy names the user.
    pub proxy_auth_header: Option<String>,
    /// Sign-in by OpenID Connect.
    pub oidc: Option<Oidc>,
    /// How mail is sent; without it none is.
    pub mail: Option<Mail>,
    /// How often Stripe is compared with the books; `None` is never.
    pub reconcile_interval: Option<Duration>,
    /// A level or a filter in the syntax of tracing-subscriber's `Targets`.
    pub log: String,
    /// How a log line is written.
    pub log_format: LogFormat,
}

/// Where the books are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL URL. Recognised, but [`load`] refuses it: this version has only SQLite.
    Postgres(Secret),
}

/// How to reach Stripe, and to know its events for its own.
#[derive(Clone, Debug)]
pub struct StripeConfig {
    /// The secret or restricted API key; there when [`Need`] says so.
    pub secret_key: Option<Secret>,
    /// Signing secrets of the webhook endpoint, any of which may sign; not empty when [`Need`] says so.
    pub webhook_secrets: Vec<Secret>,
    /// The origin of Stripe's API, without a trailing slash.
    pub api_base: String,
}

impl StripeConfig {
    /// Whether the key moves real money; `None` without a key.
    pub fn mode(&self) -> Option<Mode> {
        let key = self.secret_key.as_ref()?.reveal();
        let live = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        Some(if live { Mode::Live } else { Mode::Test })
    }
}

/// Stripe's two worlds, which never mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Real money.
    Live,
    /// Stripe's test money.
    Test,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signup {
    /// Anyone.
    Open,
    /// Nobody; the operator makes accounts.
    Closed,
    /// Whoever was invited.
    Invite,
}

/// Sign-in by OpenID Connect.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The issuer's URL, exactly as its tokens write it.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our password there; a public client has none.
    pub client_secret: Option<Secret>,
    /// What the sign-in button calls it.
    pub name: String,
}

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The server with user name and password.
    pub smtp_url: Secret,
    /// The sender.
    pub from: String,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests;
