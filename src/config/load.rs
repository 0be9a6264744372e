//! Puts the configuration together: asks for each variable once, fills in defaults, and judges what only two values
//! together show. It reads files through `sources` and does nothing else to the world.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

use super::fault::ConfigFault;
use super::sources::{Reader, Sources, read_catalog};
use super::variables::NOT_USED_YET;
use super::{
    Config, Database, Loaded, LogFormat, Mail, Mode, Need, Oidc, Origin, STRIPE_API_BASE, Signup, StripeConfig, values,
};
use crate::catalog::{Breach, Catalog, Field, Place, breaches, price_id_variable, units_variable};

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_RECONCILE_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// Reads and checks everything. On failure it answers every fault at once, in the order of the variables.
pub fn load(sources: &Sources, need: Need) -> Result<Loaded, Vec<ConfigFault>> {
    let mut reader = Reader::new(sources);
    let listen = reader.value("SPRITE_LISTEN", values::listen).unwrap_or(DEFAULT_LISTEN);
    let base_url = reader.value("SPRITE_BASE_URL", Origin::parse).unwrap_or_else(|| Origin::of_address(listen));
    let database = database(&mut reader, sources);
    let stripe = stripe(&mut reader, need);
    let file_catalog = catalog(&mut reader);
    let catalog_is_read = file_catalog.is_some();
    let mut catalog = overridden(&mut reader, file_catalog.unwrap_or_else(Catalog::built_in), catalog_is_read);
    if let Some(units) = reader.value("SPRITE_LOW_BALANCE", values::low_balance) {
        catalog.low_balance = units;
    }

    let return_origins = reader.value("SPRITE_RETURN_ORIGINS", values::origins);
    let config = Config {
        return_origins: return_origins.unwrap_or_else(|| vec![base_url.clone()]),
        trusted_proxies: reader.value("SPRITE_TRUSTED_PROXIES", values::networks).unwrap_or_else(loopback_networks),
        hook_private_networks: reader.value("SPRITE_HOOK_PRIVATE_NETWORKS", values::networks).unwrap_or_default(),
        signup: reader.value("SPRITE_SIGNUP", values::signup).unwrap_or(Signup::Open),
        proxy_auth_header: reader.value("SPRITE_PROXY_AUTH_HEADER", values::header_name),
        oidc: oidc(&mut reader),
        mail: mail(&mut reader),
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
    };

    warn(&mut reader, &config);
    reader.warn_of_unknown_names(catalog_is_read);
    if reader.faults.is_empty() { Ok(Loaded { config, warnings: reader.warnings }) } else { Err(reader.faults) }
}

fn database(reader: &mut Reader<'_>, sources: &Sources) -> Database {
    let given = reader.value("SPRITE_DATABASE", |text| match values::database(text)? {
        Database::Postgres(_) => Err("this version of till keeps its books in SQLite only; expected the path of a \
                                      file, such as /var/lib/till/till.db"
            .to_owned()),
        file => Ok(file),
    });
    given.unwrap_or_else(|| {
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
        api_base: reader
            .value("SPRITE_STRIPE_API_BASE", values::stripe_api_base)
            .map_or_else(|| STRIPE_API_BASE.to_owned(), |origin| origin.as_str().to_owned()),
    };
    let mut require = |name: &str, from: &str| {
        if !reader.is_set(name) {
            let problem = format!("it is not set, and this command needs it; expected {from}");
            reader.faults.push(ConfigFault::missing(name, problem));
        }
    };
    if need != Need::Nothing {
        require("SPRITE_STRIPE_SECRET_KEY", "sk_… or rk_… from Stripe's dashboard under API keys");
    }
    if need == Need::StripeKeyAndWebhookSecret {
        require("SPRITE_STRIPE_WEBHOOK_SECRET", "whsec_… of the webhook endpoint in Stripe's dashboard");
    }
    stripe
}

/// The catalogue before the environment has its say. `None` when the operator's cannot be read.
fn catalog(reader: &mut Reader<'_>) -> Option<Catalog> {
    const NAME: &str = "SPRITE_CATALOG";
    let Some(path) = reader.value(NAME, values::path) else {
        return (!reader.is_set(NAME)).then(Catalog::built_in);
    };
    let shown = path.display().to_string();
    let text = match read_catalog(&path) {
        Ok(text) => text,
        Err(problem) => {
            reader.faults.push(ConfigFault::of_value(NAME, &shown, false, format!("the file {problem}")));
            return None;
        }
    };
    match crate::catalog::parse(&text) {
        Ok(catalog) => Some(catalog),
        Err(found) => {
            let fault =
                |fault: crate::catalog::CatalogFault| ConfigFault::of_value(NAME, &shown, false, fault.to_string());
            reader.faults.extend(found.into_iter().map(fault));
            None
        }
    }
}

/// The catalogue with the environment's prices and units. A key's aliases name the same variables. When the
/// operator's file could not be read, the variables are still read, and what they do to another catalogue says nothing.
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

/// The catalogue was sound before, so what it breaks now is a variable's doing.
fn override_fault(breach: &Breach, setters: &HashMap<(Place, bool), (String, String)>) -> ConfigFault {
    let setter = |place| setters.get(&(place, breach.field == Field::Units));
    match setter(breach.place).or_else(|| setter(breach.other?)) {
        Some((name, value)) => ConfigFault::of_value(name, value, false, breach.text.clone()),
        None => ConfigFault::bare("SPRITE_CATALOG", breach.text.clone()),
    }
}

fn oidc(reader: &mut Reader<'_>) -> Option<Oidc> {
    const ISSUER: &str = "SPRITE_OIDC_ISSUER";
    const CLIENT_ID: &str = "SPRITE_OIDC_CLIENT_ID";
    const CLIENT_SECRET: &str = "SPRITE_OIDC_CLIENT_SECRET";
    const NAME: &str = "SPRITE_OIDC_NAME";
    let issuer = reader.value(ISSUER, values::issuer);
    let client_id = reader.value(CLIENT_ID, values::line);
    let client_secret = reader.value(CLIENT_SECRET, values::secret);
    let name = reader.value(NAME, values::line);
    for wanted in [ISSUER, CLIENT_ID] {
        let other = [ISSUER, CLIENT_ID, CLIENT_SECRET, NAME].into_iter().find(|name| reader.is_set(name));
        together(reader, wanted, other);
    }
    let issuer = issuer?;
    let host = || super::origin_of(&issuer).map(|origin| origin.host()).unwrap_or_default();
    Some(Oidc { name: name.unwrap_or_else(host), client_id: client_id?, client_secret, issuer })
}

fn mail(reader: &mut Reader<'_>) -> Option<Mail> {
    const URL: &str = "SPRITE_SMTP_URL";
    const FROM: &str = "SPRITE_MAIL_FROM";
    let smtp_url = reader.value(URL, values::smtp_url);
    let from = reader.value(FROM, values::mail_from);
    for (wanted, other) in [(URL, FROM), (FROM, URL)] {
        let other = Some(other).filter(|name| reader.is_set(name));
        together(reader, wanted, other);
    }
    Some(Mail { smtp_url: smtp_url?, from: from? })
}

fn together(reader: &mut Reader<'_>, wanted: &str, other: Option<&str>) {
    if let Some(other) = other.filter(|_| !reader.is_set(wanted)) {
        let problem = format!("it is not set, but {other} is; expected both or neither");
        reader.faults.push(ConfigFault::missing(wanted, problem));
    }
}

fn loopback_networks() -> Vec<IpNet> {
    vec![IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST)), IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))]
}

fn warn(reader: &mut Reader<'_>, config: &Config) {
    for name in NOT_USED_YET {
        if reader.is_set(name) {
            reader.warnings.push(format!("{name} is set, but this version does not use it yet"));
        }
    }
    let base_url = &config.base_url;
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
