//! What each variable's text means: one pure function per kind of value. An error says what was expected, never what was
//! found: the caller adds the value, masked where it must be.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::{LogFormat, Origin, Signup};
use crate::catalog::LOW_BALANCE_LIMIT;
use crate::database::{Database, ServerAddress};
use crate::secret::Secret;

/// The most items of a list.
const ITEMS_LIMIT: usize = 64;
const KEY_LENGTH_LIMIT: usize = 255;
const SECRET_KEY_EXPECTED: &str = "expected a secret key (sk_test_… or sk_live_…) or a restricted key (rk_test_… or rk_live_…) from Stripe's dashboard under API keys";
const INTERVAL_EXPECTED: &str = "expected a duration from 1s to 7d such as 30s, 15m or 1h, or off";
const DAY_SECONDS: u64 = crate::clock::DAY_SECONDS.unsigned_abs();
const POLL_SECONDS_LIMIT: u64 = 15 * 60;
const WEEK_SECONDS: u64 = 7 * DAY_SECONDS;

/// An address to bind, as `SPRITE_LISTEN` and the flags take it.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    let expected = "expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080";
    text.parse().map_err(|_| match text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some(("" | "*", Ok(port))) => {
            format!("{expected}; every address of this machine is 0.0.0.0:{port}, or [::]:{port}")
        }
        Some(("localhost", Ok(port))) => format!("{expected}; a name is not looked up here: write 127.0.0.1:{port}"),
        _ => match text.parse::<u16>() {
            Ok(port) => format!("{expected}; for this machine alone write 127.0.0.1:{port}"),
            Err(_) => expected.to_owned(),
        },
    })
}

/// Where the books are kept, as `SPRITE_DATABASE` and the flags take it.
pub fn database(text: &str) -> Result<Database, String> {
    let expected =
        "expected the path of a file, such as /var/lib/till/till.db, or postgres://USER:PASSWORD@HOST/DATABASE";
    if let Some(address) = ServerAddress::parse(text) {
        return match cfg!(feature = "postgres") {
            true => address.map(Database::Server),
            false => Err(format!("this till was built without PostgreSQL; {expected}")),
        };
    }
    if text == ":memory:" {
        return Err(format!("{expected}; the books must outlive the process"));
    }
    if text.contains("://") || text.starts_with("sqlite:") || text.ends_with('/') {
        return Err(expected.to_owned());
    }
    Ok(Database::File(PathBuf::from(text)))
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

/// Stripe's "API keys": the prefix says the kind and the mode.
pub(super) fn secret_key(text: &str) -> Result<Secret, String> {
    if text.starts_with("pk_") {
        return Err(format!("this is a publishable key, which can read nothing; {SECRET_KEY_EXPECTED}"));
    }
    if text.starts_with("whsec_") {
        return Err(format!("this is a webhook signing secret; {SECRET_KEY_EXPECTED}"));
    }
    let rest = ["sk_test_", "sk_live_", "rk_test_", "rk_live_"].iter().find_map(|prefix| text.strip_prefix(prefix));
    match rest {
        Some(rest) if is_token(rest) => Ok(Secret::new(text)),
        _ => Err(SECRET_KEY_EXPECTED.to_owned()),
    }
}

/// Several while one is rolled: for up to a day Stripe signs with both ("Roll endpoint signing secrets").
pub(super) fn webhook_secrets(text: &str) -> Result<Vec<Secret>, String> {
    items(text, |item| match item.strip_prefix("whsec_") {
        Some(rest) if rest.bytes().all(is_of_secret) && is_short(rest) => Ok(Secret::new(item)),
        _ => Err("expected one or more signing secrets (whsec_…) of the webhook endpoint, separated by commas".into()),
    })
}

/// The letters of base64 in both of its forms, and those of names. Another one is what somebody put between two secrets.
fn is_of_secret(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-.".contains(&byte)
}

pub(super) fn stripe_api_base(text: &str) -> Result<Origin, String> {
    let origin = Origin::parse(text)?;
    if !origin.is_https() && !origin.is_loopback() {
        let problem = "expected https://…; plain http is taken for this machine's own addresses only, because the \
                       secret key would cross the network in clear";
        return Err(problem.to_owned());
    }
    Ok(origin)
}

pub(super) fn price_id(text: &str) -> Result<String, String> {
    match crate::catalog::price_id_fault(text) {
        Some(problem) => Err(problem),
        None => Ok(text.to_owned()),
    }
}

pub(super) fn units(text: &str) -> Result<i64, String> {
    let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = if digits { text.parse().ok() } else { None };
    count.ok_or_else(|| "expected a whole number of units, such as 100".to_owned())
}

pub(super) fn low_balance(text: &str) -> Result<i64, String> {
    let expected = || format!("expected a whole number of units from 0 to {LOW_BALANCE_LIMIT}, such as 10");
    units(text).ok().filter(|units| *units <= LOW_BALANCE_LIMIT).ok_or_else(expected)
}

pub(super) fn origins(text: &str) -> Result<Vec<Origin>, String> {
    if text.contains('*') {
        return Err("expected origins one by one, such as https://app.example.com; * would send buyers anywhere".into());
    }
    items(text, Origin::parse)
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    items(text, |item| {
        let address = item.parse::<IpAddr>().map(IpNet::from);
        let network = item.parse::<IpNet>().map(|network| network.trunc());
        address.or(network).map_err(|_| {
            "expected networks separated by commas, such as 127.0.0.1/32,10.0.0.0/8,fd00::/8, or none".to_owned()
        })
    })
}

/// `off` is `None`.
pub(super) fn interval(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    let seconds = duration_seconds(text).filter(|seconds| (1..=WEEK_SECONDS).contains(seconds));
    seconds.map(|seconds| Some(Duration::from_secs(seconds))).ok_or_else(|| INTERVAL_EXPECTED.to_owned())
}

/// Not rarer than Stripe is compared with the books by default: buyers wait for it.
pub(super) fn poll_interval(text: &str) -> Result<Duration, String> {
    let seconds = duration_seconds(text).filter(|seconds| (1..=POLL_SECONDS_LIMIT).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "expected a duration from 1s to 15m, such as 30s".to_owned())
}

/// The syntax is that of tracing-subscriber's `Targets`, which takes any single word for a module's name: a level that is
/// misspelt would silence the log, so a single word must be a level.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let expected = "expected error, warn, info, debug, trace, off, or a filter such as info,till::stripe=debug";
    let levels = ["error", "warn", "info", "debug", "trace", "off"];
    let is_filter = text.contains(['=', ',']);
    let sound = if is_filter {
        text.len() <= 1000 && text.parse::<tracing_subscriber::filter::Targets>().is_ok()
    } else {
        levels.contains(&text.to_ascii_lowercase().as_str())
    };
    if sound { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

pub(super) fn signup(text: &str) -> Result<Signup, String> {
    match text {
        "open" => Ok(Signup::Open),
        "closed" => Ok(Signup::Closed),
        "invite" => Ok(Signup::Invite),
        _ => Err("expected open, closed or invite".to_owned()),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected auto, text or json".to_owned()),
    }
}

fn duration_seconds(text: &str) -> Option<u64> {
    let seconds_each = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => DAY_SECONDS,
        _ => return None,
    };
    let count = &text[..text.len() - 1];
    let digits = (1..=9).contains(&count.len()) && count.bytes().all(|byte| byte.is_ascii_digit());
    if digits { count.parse::<u64>().ok()?.checked_mul(seconds_each) } else { None }
}

/// The items of a comma-separated list, without empty ones.
fn items<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    if parts.is_empty() {
        return Err("expected at least one item between the commas".to_owned());
    }
    if parts.len() > ITEMS_LIMIT {
        return Err(format!("expected at most {ITEMS_LIMIT} items"));
    }
    parts.into_iter().map(parse).collect()
}

fn is_token(text: &str) -> bool {
    is_short(text) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_short(text: &str) -> bool {
    (1..=KEY_LENGTH_LIMIT).contains(&text.len())
}
