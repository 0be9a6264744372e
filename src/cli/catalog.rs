//! `till catalog`: what is on sale, as the catalogue and the variables together say it.

use clap::Args;
use serde_json::{Value, json};

use super::output::{or_dash, print, print_json, table};
use super::settings::{self, DatabaseArgs};
use super::{CommandResult, eprint_lines};
use crate::catalog::{Catalog, Expiry, Interval, Offer};
use crate::config::{LoadedConfig, Need, Sources};
use crate::http::api::catalog::CatalogShape;
use crate::money::{Currency, Money};

/// Show the catalogue in force: plans, packs, prices and units
///
/// Opens no database and asks nobody: till check compares it with Stripe.
#[derive(Args)]
#[command(after_help = "Example:\n  till catalog")]
pub(super) struct CatalogCommand {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print {"catalog","prices"}: as GET /v1/catalog, and Stripe's price ids by key
    #[arg(long)]
    json: bool,
}

impl CatalogCommand {
    pub(super) fn run(&self) -> CommandResult {
        let LoadedConfig { config, warnings } =
            settings::load(&Sources::from_process(self.database.flags()), Need::Nothing)?;
        eprint_lines("warning", &warnings);
        let catalog = &config.catalog;
        if self.json {
            let prices: serde_json::Map<String, Value> = catalog.offers().map(prices).collect();
            return print_json(&json!({ "catalog": CatalogShape::of(catalog), "prices": prices }));
        }
        print(&as_text(catalog))
    }
}

fn prices(offer: Offer<'_>) -> (String, Value) {
    let older: Vec<&str> = offer.price_ids().filter(|id| Some(*id) != offer.price_id()).collect();
    (offer.key().to_owned(), json!({ "price_id": offer.price_id(), "older_price_ids": older }))
}

fn as_text(catalog: &Catalog) -> String {
    let row = |offer: Offer<'_>| {
        let kind = match offer {
            Offer::Plan(plan) if plan.interval == Interval::Year => "plan, yearly",
            Offer::Plan(_) => "plan, monthly",
            Offer::Pack(_) => "pack",
        };
        let lives = match offer.expiry() {
            Expiry::Never => "for ever".to_owned(),
            Expiry::PeriodEnd => "the paid period".to_owned(),
            Expiry::Days(days) => format!("{days} days"),
        };
        let price_id = match offer.is_retired() {
            true => "off sale".to_owned(),
            false => or_dash(offer.price_id()),
        };
        let price = Currency::new(&catalog.currency)
            .map_or_else(|| offer.amount().to_string(), |currency| Money::new(offer.amount(), currency).to_string());
        [
            offer.key().to_owned(),
            kind.to_owned(),
            offer.name().to_owned(),
            price,
            offer.units().to_string(),
            lives,
            price_id,
        ]
    };
    let rows: Vec<[String; 7]> = catalog.offers().map(row).collect();
    let unit = &catalog.unit;
    format!(
        "Units are called {}, {}. Prices are in {}.\n\n{}",
        unit.singular,
        unit.plural,
        catalog.currency.to_uppercase(),
        table(["KEY", "KIND", "NAME", "PRICE", "UNITS", "UNITS LIVE", "STRIPE PRICE"], &rows)
    )
}
