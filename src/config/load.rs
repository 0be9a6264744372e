//! Puts the configuration together: reads each variable once, fills in defaults, and checks what depends on two values.
//! Apart from reading files through `sources` it has no effects.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

use super::fault::ConfigFault;
use super::sources::{Reader, Sources, read_catalog};
use super::{
    Config, LoadedConfig, LogFormat, Mode, Need, Origin, STRIPE_API_BASE, StripeConfig, mail, oidc, proxy, values,
};
use crate::catalog::{Breach, Catalog, FaultyCatalog, Field, Place, breaches, price_id_variable, units_variable};
use crate::database::Database;
use crate::money::Currency;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_RECONCILE_INTERVAL: Duration = Duration::from_secs(15 * 60);
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(30);

/// A configuration that cannot be used.
#[derive(Debug, Default)]
pub struct FaultyConfig {
    /// Every fault, in the order of the variables.
    pub faults: Vec<ConfigFault>,
    /// What is unknown, unused or risky: a variable that is missing may be one that was misspelt.
    pub warnings: Vec<String>,
}

/// Reads and checks everything.
pub fn load(sources: &Sources, need: Need) -> Result<LoadedConfig, FaultyConfig> {
    let (config, reader) = read(sources, need);
    if reader.faults.is_empty() {
        let warnings = reader.warnings;
        let config = Config { open_files: reader.open_files, warnings: warnings.clone(), ..config };
        Ok(LoadedConfig { config, warnings })
    } else {
        Err(FaultyConfig { faults: reader.faults, warnings: reader.warnings })
    }
}

/// The configuration, with defaults where a value is faulty, and what was found on the way.
pub(super) fn read(sources: &Sources, need: Need) -> (Config, Reader<'_>) {
    let mut reader = Reader::new(sources);
    let listen = reader.value("SPRITE_LISTEN", values::listen).unwrap_or(DEFAULT_LISTEN);
    let base_url = reader.value("SPRITE_BASE_URL", Origin::parse).unwrap_or_else(|| Origin::of_address(listen));
    if need == Need::Serve && sources.has_only_unix_sockets && !reader.is_set("SPRITE_BASE_URL") {
        let problem = "it is not set, and does not follow from a Unix socket: expected the public origin, such as \
                       https://pay.example.com";
        reader.faults.push(ConfigFault::missing("SPRITE_BASE_URL", problem.to_owned()));
    }
    let database = database(&mut reader, sources);
    let stripe = stripe(&mut reader, need);
    let (catalog, catalog_is_read) = catalog(&mut reader);
    let mut catalog = overridden(&mut reader, catalog, catalog_is_read);
    if let Some(units) = reader.value("SPRITE_LOW_BALANCE", values::low_balance) {
        catalog.low_balance = units;
    }

    let return_origins = reader.value("SPRITE_RETURN_ORIGINS", values::origins);
    let trusted_proxies = reader.value("SPRITE_TRUSTED_PROXIES", values::networks);
    let metrics_listen = reader.value("SPRITE_METRICS_LISTEN", values::listen);
    let hook_private_networks = reader.value("SPRITE_HOOK_PRIVATE_NETWORKS", values::networks);
    let mail = mail::read(&mut reader, catalog.shop.name.as_deref());
    if mail.is_some() {
        catalog.mail = std::mem::take(&mut catalog.mail).with_server();
    }
    let proxy_auth = proxy::read(&mut reader, need);
    let oidc = oidc::read(&mut reader);
    let config = Config {
        return_origins: return_origins.unwrap_or_else(|| vec![base_url.clone()]),
        trusted_proxies: trusted_proxies.unwrap_or_else(loopback_networks),
        metrics_listen,
        hook_private_networks: hook_private_networks.unwrap_or_default(),
        proxy_auth,
        oidc,
        signup: reader.value("SPRITE_SIGNUP", values::signup).unwrap_or_default(),
        mail,
        reconcile_interval: reader
            .value("SPRITE_RECONCILE_INTERVAL", values::interval)
            .unwrap_or(Some(DEFAULT_RECONCILE_INTERVAL)),
        log: reader.value("SPRITE_LOG", values::log_filter).unwrap_or_else(|| "info".to_owned()),
        log_format: reader.value("SPRITE_LOG_FORMAT", values::log_format).unwrap_or(LogFormat::Auto),
        base_url,
        listen,
        database,
        catalog,
        stripe,
        open_files: vec![],
        warnings: vec![],
    };

    warn(&mut reader, &config);
    if let Some(path) = config.database.file() {
        reader.warn_of_open_file("the database", path);
    }
    reader.warn_of_unknown_names(catalog_is_read);
    (config, reader)
}

fn database(reader: &mut Reader<'_>, sources: &Sources) -> Database {
    reader.value("SPRITE_DATABASE", values::database).unwrap_or_else(|| {
        let directory = sources.state_directory.as_deref().and_then(first_directory);
        Database::File(directory.unwrap_or(Path::new(".")).join("till.db"))
    })
}

/// systemd.exec(5): several state directories are written with colons between them.
fn first_directory(list: &OsStr) -> Option<&Path> {
    use std::os::unix::ffi::OsStrExt;
    let first = list.as_bytes().split(|&byte| byte == b':').find(|part| !part.is_empty())?;
    Some(Path::new(OsStr::from_bytes(first)))
}

fn stripe(reader: &mut Reader<'_>, need: Need) -> StripeConfig {
    let stripe = StripeConfig {
        secret_key: reader.value("SPRITE_STRIPE_SECRET_KEY", values::secret_key),
        webhook_secrets: reader.value("SPRITE_STRIPE_WEBHOOK_SECRET", values::webhook_secrets).unwrap_or_default(),
        poll_interval: reader.value("SPRITE_POLL_INTERVAL", values::poll_interval).unwrap_or(DEFAULT_POLL_INTERVAL),
        api_base: reader
            .value("SPRITE_STRIPE_API_BASE", values::stripe_api_base)
            .map_or_else(|| STRIPE_API_BASE.to_owned(), |origin| origin.as_str().to_owned()),
    };
    const KEY: &str = "SPRITE_STRIPE_SECRET_KEY";
    if need != Need::Nothing && !reader.is_set(KEY) {
        let expected = "expected sk_… or rk_… from Stripe's dashboard under API keys";
        let problem = format!("it is not set, and this command needs it; {expected}");
        reader.faults.push(ConfigFault::missing(KEY, problem));
    }
    stripe
}

/// The catalogue before the environment changes it, and whether it is whole. Of a file with faults it is what could be read.
fn catalog(reader: &mut Reader<'_>) -> (Catalog, bool) {
    const NAME: &str = "SPRITE_CATALOG";
    let Some(path) = reader.value(NAME, values::path) else {
        return (Catalog::built_in(), !reader.is_set(NAME));
    };
    let file = path.display().to_string();
    let text = match read_catalog(&path) {
        Ok(text) => text,
        Err(problem) => {
            reader.faults.push(ConfigFault::of_value(NAME, &file, false, format!("the file {problem}")));
            return (Catalog::built_in(), false);
        }
    };
    match crate::catalog::parse(&text) {
        Ok(catalog) => (catalog, true),
        Err(FaultyCatalog { faults, rest }) => {
            let faults = faults.iter().map(|fault| ConfigFault::of_value(NAME, &file, false, fault.to_string()));
            reader.faults.extend(faults);
            (rest.map_or_else(Catalog::built_in, |rest| *rest), false)
        }
    }
}

/// The catalogue with the environment's prices and units. An alias names the same variables as its key. When the operator's
/// file has faults, the variables are still read, but their effect on the catalogue is not checked.
fn overridden(reader: &mut Reader<'_>, catalog: Catalog, catalog_is_read: bool) -> Catalog {
    let mut result = catalog.clone();
    let mut setters: HashMap<(Place, bool), (String, String)> = HashMap::new();
    let plans = (0..catalog.plans.len()).map(Place::Plan);
    let places = plans.chain((0..catalog.packs.len()).map(Place::Pack));
    for (place, offer) in places.zip(catalog.offers()) {
        let keys = || std::iter::once(offer.key()).chain(offer.aliases().iter().map(String::as_str));
        let price_names: Vec<String> = keys().map(price_id_variable).collect();
        if let Some((name, price_id)) = reader.value_of_any(&price_names, values::price_id) {
            setters.insert((place, false), (name, price_id.clone()));
            result.set_price_id(place, price_id);
        }
        let units_names: Vec<String> = keys().map(units_variable).collect();
        if let Some((name, units)) = reader.value_of_any(&units_names, values::units) {
            setters.insert((place, true), (name, units.to_string()));
            result.set_units(place, units);
        }
    }
    if catalog_is_read {
        reader.faults.extend(breaches(&result).iter().map(|breach| override_fault(breach, &setters)));
    }
    result
}

/// The catalogue was sound before, so a variable is at fault.
fn override_fault(breach: &Breach, setters: &HashMap<(Place, bool), (String, String)>) -> ConfigFault {
    let setter = |place| setters.get(&(place, breach.field == Field::Units));
    match setter(breach.place).or_else(|| setter(breach.other?)) {
        Some((name, value)) => ConfigFault::of_value(name, value, false, breach.text.clone()),
        None => ConfigFault::bare("SPRITE_CATALOG", breach.text.clone()),
    }
}

fn loopback_networks() -> Vec<IpNet> {
    vec![IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST)), IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))]
}

fn warn(reader: &mut Reader<'_>, config: &Config) {
    let (base_url, currency) = (&config.base_url, &config.catalog.currency);
    if Currency::new(currency).is_some_and(|known| !known.is_charged()) {
        let text = format!(
            "the catalogue's currency is {currency:?}, which is none that Stripe charges in: expected one of its page \
             \"Supported currencies\", such as \"usd\""
        );
        reader.warnings.push(text);
    }
    if !reader.is_set("SPRITE_BASE_URL") && config.listen.ip().is_unspecified() {
        let text = format!("SPRITE_BASE_URL is not set, and links to {base_url} reach nobody; set the public origin");
        reader.warnings.push(text);
    } else if !base_url.is_https() && !base_url.is_loopback() {
        let text = format!("SPRITE_BASE_URL is {base_url}: sign-ins cross the network in clear; use https");
        reader.warnings.push(text);
    } else if !base_url.is_https() && config.stripe.mode() == Some(Mode::Live) {
        let text = format!("SPRITE_BASE_URL is {base_url}, but Stripe sends live events to public https origins only");
        reader.warnings.push(text);
    }
}
