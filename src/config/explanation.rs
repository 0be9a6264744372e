//! Each variable with its value and where that comes from, for `till config`: also where the configuration is faulty,
//! because then it is asked for most.

use super::load::read;
use super::sources::{GivenValue, Reader};
use super::variables::{VARIABLES, Variable};
use super::{Config, ConfigFault, Need, Sources};
use crate::catalog::{Offer, price_id_variable, units_variable};

/// A variable as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub variable: String,
    /// With secrets masked; `None` where nothing is set and there is no default.
    pub value: Option<String>,
    /// `flag`, `environment`, `file <path>`, `credential <path>`, `catalogue` or `default`.
    pub source: String,
}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// In the order of the manual.
    pub settings: Vec<Setting>,
    pub warnings: Vec<String>,
    /// What keeps `till` from starting.
    pub faults: Vec<ConfigFault>,
}

/// Reads everything, and says where each value comes from. The Stripe key and the webhook secret may be missing.
pub fn explain(sources: &Sources) -> Explanation {
    let (config, reader) = read(sources, Need::Nothing);
    let mut warnings = reader.warnings.clone();
    // A secret that is faulty was meant to be set.
    warnings.extend(config.stripe.polling().filter(|_| !reader.is_set("SPRITE_STRIPE_WEBHOOK_SECRET")));
    let settings = VARIABLES.iter().flat_map(|variable| settings_of(variable, &config, &reader)).collect();
    Explanation { settings, warnings, faults: reader.faults }
}

fn settings_of(variable: &Variable, config: &Config, reader: &Reader<'_>) -> Vec<Setting> {
    let offers = || config.catalog.offers();
    match variable.name {
        "SPRITE_STRIPE_<KEY>_PRICE_ID" => offers()
            .filter(|offer| offer.amount() > 0)
            .map(|offer| of_offer(offer, price_id_variable, offer.price_id().map(str::to_owned), reader))
            .collect(),
        "SPRITE_<KEY>_UNITS" => {
            offers().map(|offer| of_offer(offer, units_variable, Some(offer.units().to_string()), reader)).collect()
        }
        name => match reader.given.get(name) {
            // Without its password, where it can be read.
            Some(given) if name == "SPRITE_DATABASE" && config.database.file().is_none() => {
                vec![Setting { value: Some(config.database.to_string()), ..setting(name, given) }]
            }
            Some(given) => vec![setting(name, given)],
            None => vec![default(variable, config)],
        },
    }
}

/// The variable of a plan or pack, under its key or the alias that is used; else what the catalogue says.
fn of_offer(offer: Offer<'_>, name: fn(&str) -> String, value: Option<String>, reader: &Reader<'_>) -> Setting {
    let names = std::iter::once(offer.key()).chain(offer.aliases().iter().map(String::as_str)).map(name);
    let given = names.into_iter().find_map(|name| reader.given.get(&name).map(|given| setting(&name, given)));
    given.unwrap_or_else(|| Setting { variable: name(offer.key()), value, source: "catalogue".to_owned() })
}

fn setting(name: &str, given: &GivenValue) -> Setting {
    Setting { variable: name.to_owned(), value: Some(given.text.clone()), source: given.source.clone() }
}

/// What is in force where nothing is set.
fn default(variable: &Variable, config: &Config) -> Setting {
    let (value, source) = match variable.name {
        "SPRITE_BASE_URL" | "SPRITE_RETURN_ORIGINS" => (Some(config.base_url.to_string()), "default"),
        "SPRITE_DATABASE" => (Some(config.database.to_string()), "default"),
        "SPRITE_LOW_BALANCE" => (Some(config.catalog.low_balance.to_string()), "catalogue"),
        "SPRITE_STRIPE_SECRET_KEY" | "SPRITE_OIDC_NAME" => (None, "default"),
        _ => (Some(variable.default).filter(|text| *text != "none").map(str::to_owned), "default"),
    };
    Setting { variable: variable.name.to_owned(), value, source: source.to_owned() }
}
