//! The names of everything that can be configured. `systemd/till.env.example` lists the same names,
//! and a test compares the two.

use super::STRIPE_API_BASE;

/// An environment variable that till reads.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// `<KEY>` stands for a catalogue key or alias in upper case.
    pub name: &'static str,
    pub default: &'static str,
    /// What it is for, and what values it takes.
    pub meaning: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
}

const fn plain(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable { name, default, meaning, secret: false }
}

const fn secret(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable { name, default, meaning, secret: true }
}

/// Every variable, in the order of the contract.
pub const VARIABLES: &[Variable] = &[
    plain("SPRITE_BASE_URL", "http:// and the listen address", "the public origin that browsers and Stripe see"),
    plain("SPRITE_LISTEN", "127.0.0.1:8080", "address to bind; ignored when systemd hands a socket over"),
    plain(
        "SPRITE_DATABASE",
        "$STATE_DIRECTORY/till.db, else ./till.db",
        "path of the SQLite file, or postgres://… of a database that several machines share",
    ),
    plain("SPRITE_CATALOG", "built in", "path of a TOML catalogue of plans and packs"),
    secret("SPRITE_STRIPE_SECRET_KEY", "required by serve", "sk_… or rk_…; its prefix decides live or test mode"),
    secret(
        "SPRITE_STRIPE_WEBHOOK_SECRET",
        "none",
        "one or more whsec_…, separated by commas while a secret is rolled; without it serve asks Stripe for events",
    ),
    plain("SPRITE_POLL_INTERVAL", "30s", "how often serve asks Stripe for events without a webhook secret, 1s to 15m"),
    plain("SPRITE_STRIPE_API_BASE", STRIPE_API_BASE, "another origin that speaks Stripe's API"),
    plain("SPRITE_STRIPE_<KEY>_PRICE_ID", "from the catalogue", "Stripe's price for the plan or pack KEY"),
    plain("SPRITE_<KEY>_UNITS", "from the catalogue", "units of the plan or pack KEY"),
    plain(
        "SPRITE_LOW_BALANCE",
        "from the catalogue, else 10",
        "units below which a balance is low, for users without a threshold of their own",
    ),
    plain(
        "SPRITE_RETURN_ORIGINS",
        "the base URL's origin",
        "origins, separated by commas, that a return_url may have and that may call /billing/* and /v1/me",
    ),
    plain(
        "SPRITE_TRUSTED_PROXIES",
        "127.0.0.1/32,::1/128",
        "networks whose X-Forwarded-For counts, separated by commas; none for nobody's",
    ),
    plain(
        "SPRITE_METRICS_LISTEN",
        "none",
        "an address of its own for /metrics; without it /metrics needs a token with the scope read",
    ),
    plain(
        "SPRITE_HOOK_PRIVATE_NETWORKS",
        "none",
        "networks that are not public and that outgoing webhooks may go to, also without TLS, separated by commas",
    ),
    plain("SPRITE_SIGNUP", "open", "who may make an account: open, closed, or invite"),
    plain("SPRITE_PROXY_AUTH_HEADER", "none", "header in which a trusted proxy names the user, such as Remote-Email"),
    secret("SPRITE_PROXY_AUTH_SECRET", "none", "what that proxy sends as X-Till-Proxy-Secret"),
    plain("SPRITE_OIDC_ISSUER", "none", "OpenID Connect: the issuer's URL"),
    plain("SPRITE_OIDC_CLIENT_ID", "none", "OpenID Connect: the client id"),
    secret("SPRITE_OIDC_CLIENT_SECRET", "none", "OpenID Connect: the client secret"),
    plain("SPRITE_OIDC_NAME", "the issuer's host", "OpenID Connect: the name on the sign-in button"),
    secret("SPRITE_SMTP_URL", "none", "mail server, smtps://user:password@host; without it no mail is sent"),
    plain("SPRITE_MAIL_FROM", "none", "sender of mail, such as Pictures <billing@example.com>"),
    plain("SPRITE_RECONCILE_INTERVAL", "15m", "how often Stripe is compared with the books, 1s to 7d; or off"),
    plain("SPRITE_LOG", "info", "log level (error, warn, info, debug, trace, off) or filter"),
    plain("SPRITE_LOG_FORMAT", "auto", "text, json, or auto: text on a terminal, JSON lines otherwise"),
];

/// Whether this variable's value must never be shown.
pub fn is_secret(name: &str) -> bool {
    VARIABLES.iter().any(|variable| variable.secret && variable.name == name)
}

/// The names without a `<KEY>` in them.
pub(super) fn fixed_names() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().map(|variable| variable.name).filter(|name| !name.contains('<'))
}

/// The catalogue key, in lower case, in a name of the form `SPRITE_STRIPE_<KEY>_PRICE_ID` or `SPRITE_<KEY>_UNITS`.
pub(super) fn key_in(name: &str) -> Option<String> {
    let price = name.strip_prefix("SPRITE_STRIPE_").and_then(|rest| rest.strip_suffix("_PRICE_ID"));
    let key = price.or_else(|| name.strip_prefix("SPRITE_").and_then(|rest| rest.strip_suffix("_UNITS")))?;
    (!key.is_empty()).then(|| key.to_ascii_lowercase())
}

/// The known name with the fewest insertions, deletions and replacements from this one; the first of equals.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.min_by_key(|candidate| strsim::levenshtein(name, candidate))
}
