//! `till sandbox`: the Stripe stand-in alone, for trying till or another program against it.

use std::net::SocketAddr;

use clap::Args;

use super::output::print;
use super::service::reachable;
use super::settings::{self, flags};
use super::signals::Signals;
use super::{CommandError, CommandResult, eprint_lines};
use crate::catalog::{Catalog, Interval, Offer, price_id_variable};
use crate::clock::Clock;
use crate::config::{LoadedConfig, Mode, Need, Origin, Sources, origin_of, parse_listen};
use crate::id;
use crate::sandbox::{self, Endpoint, Options, SeedPrice};
use crate::secret::Secret;

/// Run the Stripe stand-in alone; no money moves
///
/// It offers the part of Stripe's API that till needs, has a checkout page and a control page, and sends signed
/// webhooks. Everything is kept in memory. It sells what the catalogue lists, under the configured price ids, or
/// price_test_KEY where none is configured. It does not start while SPRITE_STRIPE_SECRET_KEY is a live key.
#[derive(Args)]
#[command(after_help = "Example:\n  till sandbox --webhook-url http://127.0.0.1:8080/billing/webhook")]
pub(super) struct Sandbox {
    /// Address to bind
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:12111", value_parser = parse_listen)]
    listen: SocketAddr,
    /// The origin under which browsers reach it [default: http:// and the listen address]
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    base_url: Option<Origin>,
    /// Send webhooks to any address, although others can reach this stand-in. Without it, a stand-in that does not listen on
    /// this machine alone sends them to --webhook-url, to this machine and to private networks only
    #[arg(long)]
    deliver_anywhere: bool,
    /// Where to send webhooks, such as http://127.0.0.1:8080/billing/webhook; without it they are only kept
    #[arg(long, value_name = "URL", value_parser = web_url)]
    webhook_url: Option<String>,
    /// The signing secret of webhooks, instead of SPRITE_STRIPE_WEBHOOK_SECRET; without either, a random one is created
    /// and printed
    #[arg(long, value_name = "whsec_…")]
    webhook_secret: Option<String>,
    /// Path of a TOML catalogue of plans and packs, instead of SPRITE_CATALOG (else the built-in one)
    #[arg(long, value_name = "FILE")]
    catalog: Option<String>,
}

impl Sandbox {
    pub(super) fn run(&self) -> CommandResult {
        let signals = Signals::listen()?;
        let given = [("SPRITE_STRIPE_WEBHOOK_SECRET", &self.webhook_secret), ("SPRITE_CATALOG", &self.catalog)];
        let LoadedConfig { config, warnings } = settings::load(&Sources::from_process(flags(given)), Need::Nothing)?;
        eprint_lines("warning", &warnings);
        if config.stripe.mode() == Some(Mode::Live) {
            let fault =
                "SPRITE_STRIPE_SECRET_KEY is a live key, which does not belong here: unset it, or use a test key";
            return Err(CommandError::Usage(vec![fault.to_owned()]));
        }

        let configured = config.stripe.webhook_secrets.first().cloned();
        let (secret, new_secret) = match configured {
            Some(secret) => (secret, None),
            None => {
                let secret = id::secret("whsec_")?;
                (Secret::new(secret.clone()), Some(secret))
            }
        };
        let endpoint = self.webhook_url.clone().map(|url| Endpoint { url, secret });
        let mut options = options(self.listen, endpoint, prices(&config.catalog));
        if let Some(origin) = &self.base_url {
            options.public_url = Some(origin.as_str().to_owned());
        }
        let running = match self.deliver_anywhere {
            true => sandbox::start_delivering_anywhere(options)?,
            false => sandbox::start(options)?,
        };
        let new_secret = new_secret.filter(|_| self.webhook_url.is_some());
        let api = format!("http://{}", reachable(running.address()));
        let text = as_text(&running.url(), &api, self.webhook_url.as_deref(), new_secret.as_deref(), &config.catalog);
        print(&text)?;
        signals.wait();
        running.stop();
        Ok(())
    }
}

/// How to start the stand-in, here and in the demonstration.
pub(super) fn options(listen: SocketAddr, endpoint: Option<Endpoint>, prices: Vec<SeedPrice>) -> Options {
    // With port 0 only the stand-in knows the actual port.
    let public = (listen.port() != 0).then(|| format!("http://{}", reachable(listen)));
    Options { listen, public_url: public, endpoint, prices, clock: Clock::System }
}

/// What is on sale, in Stripe's terms.
pub(super) fn prices(catalog: &Catalog) -> Vec<SeedPrice> {
    let paid = catalog.offers().filter(|offer| offer.amount() > 0);
    let price = |offer: Offer<'_>| SeedPrice {
        id: price_id(offer),
        product_name: offer.name().to_owned(),
        unit_amount: offer.amount(),
        currency: catalog.currency.clone(),
        recurring: match offer {
            Offer::Plan(plan) => Some(match plan.interval {
                Interval::Month => "month",
                Interval::Year => "year",
            }),
            Offer::Pack(_) => None,
        },
    };
    paid.map(price).collect()
}

/// The configured price id, or one made from the key.
pub(super) fn price_id(offer: Offer<'_>) -> String {
    offer.price_id().map_or_else(|| format!("price_test_{}", offer.key()), str::to_owned)
}

fn as_text(url: &str, api: &str, webhook_url: Option<&str>, new_secret: Option<&str>, catalog: &Catalog) -> String {
    let mut text = format!("The Stripe stand-in is at {url} (its control page, in a browser).\n");
    match webhook_url {
        Some(to) => text.push_str(&format!("Webhooks go to {to}\n")),
        None => text.push_str("Webhooks are not sent: give --webhook-url, or create an endpoint through its API.\n"),
    }
    text.push_str("\nThe environment of a till that uses it:\n");
    text.push_str(&format!("  SPRITE_STRIPE_API_BASE={api}\n  SPRITE_STRIPE_SECRET_KEY=sk_test_sandbox\n"));
    if let Some(secret) = new_secret {
        text.push_str(&format!("  SPRITE_STRIPE_WEBHOOK_SECRET={secret}\n"));
    }
    for offer in catalog.offers().filter(|offer| offer.amount() > 0) {
        text.push_str(&format!("  {}={}\n", price_id_variable(offer.key()), price_id(offer)));
    }
    text.push_str("\nCtrl-C stops it.\n");
    text
}

/// An origin as the command line takes it.
pub(super) fn origin(text: &str) -> Result<Origin, String> {
    Origin::parse(text)
}

fn web_url(text: &str) -> Result<String, String> {
    let is_web = origin_of(text).is_some();
    if is_web { Ok(text.to_owned()) } else { Err("a URL with http:// or https:// was expected".to_owned()) }
}
