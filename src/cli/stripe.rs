//! `till stripe`: sets up Stripe for this shop.

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::{print, print_json, table};
use super::settings::{flags, load};
use super::{CommandResult, eprint_lines};
use crate::app::stripe_of;
use crate::clock::Clock;
use crate::config::{Mode, Need, Sources};
use crate::stripe::permissions::{NEEDED, NEEDED_BY_SETUP, OPTIONAL, Permission, form_url};
use crate::usecase::operator::stripe_setup::{self, Setup, SetupContext};

/// Set up Stripe for this shop
#[derive(Args)]
pub(super) struct Stripe {
    /// Path of a TOML catalogue of plans and packs, instead of SPRITE_CATALOG (else the built-in one)
    #[arg(long, value_name = "FILE", global = true, display_order = 100)]
    catalog: Option<String>,
    /// Not used: nothing of it opens a database. Accepted, so that one set of flags serves every command.
    #[arg(long, value_name = "FILE", global = true, hide = true)]
    database: Option<String>,
    #[command(subcommand)]
    command: StripeCommand,
}

#[derive(Subcommand)]
enum StripeCommand {
    /// Create products, prices, the customer portal and the webhook endpoint, and print the lines for the configuration
    ///
    /// Needs no database. What exists already is found and not created twice: a configured price, one that was created
    /// before, an endpoint whose URL differs by a slash or that is disabled. The customer portal is set to offer the plans
    /// on sale; run this again when they change. The endpoint's signing secret is printed when the endpoint is created,
    /// and never again.
    #[command(after_help = "Examples:\n  till stripe setup --dry-run\n  till stripe setup --disable we_1Qabc…")]
    Setup {
        /// Print what would be created, and create nothing
        #[arg(long)]
        dry_run: bool,
        /// Make no webhook endpoint: till serve then asks Stripe for its events
        #[arg(long)]
        no_webhook: bool,
        /// Disable this webhook endpoint, such as one of an earlier address; may be given several times
        #[arg(long, value_name = "we_…")]
        disable: Vec<String>,
    },
    /// Print the smallest set of permissions for a restricted key
    ///
    /// With these, till serve and till check do everything. Asks nobody; till check shows what a key lacks.
    #[command(after_help = "Example:\n  till stripe permissions")]
    Permissions {
        /// Print {"form_url","data":[{"name","access","slug","purpose"}…],"optional":[…],"setup":[{"name","access","slug"}…]}
        #[arg(long)]
        json: bool,
    },
}

impl Stripe {
    pub(super) fn run(&self) -> CommandResult {
        match &self.command {
            StripeCommand::Setup { dry_run, no_webhook, disable } => self.set_up(*dry_run, *no_webhook, disable),
            StripeCommand::Permissions { json } => self.permissions(*json),
        }
    }

    fn set_up(&self, dry_run: bool, no_webhook: bool, disable: &[String]) -> CommandResult {
        let loaded = load(&self.sources(), Need::StripeKey)?;
        eprint_lines("warning", &loaded.warnings);
        let stripe = stripe_of(&loaded.config)?;
        let mut context = SetupContext::new(&loaded.config, &stripe, Clock::System.now());
        (context.dry_run, context.no_webhook, context.disable) = (dry_run, no_webhook, disable);
        let mut setup = Setup::default();
        let done = stripe_setup::set_up(&context, &mut setup);
        // What was made is there, also if a later step failed.
        let steps: String = setup.steps.iter().map(|step| format!("# {step}\n")).collect();
        let lines: String = setup.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        print(&format!("{steps}{lines}"))?;
        Ok(done?)
    }

    fn permissions(&self, json: bool) -> CommandResult {
        let loaded = load(&self.sources(), Need::Nothing)?;
        let form_url = form_url(loaded.config.stripe.mode() != Some(Mode::Test));
        if json {
            let as_json = |permission: &Permission| {
                json!({ "name": permission.name, "access": permission.access.word(), "slug": permission.slug,
                    "purpose": permission.purpose })
            };
            let (needed, optional) = (NEEDED.iter().map(as_json), OPTIONAL.iter().map(as_json));
            let by_setup =
                NEEDED_BY_SETUP.iter().map(|(name, slug)| json!({ "name": name, "access": "Write", "slug": slug }));
            let (needed, by_setup): (Vec<_>, Vec<_>) = (needed.collect(), by_setup.collect());
            let optional: Vec<_> = optional.collect();
            return print_json(
                &json!({ "form_url": form_url, "data": needed, "optional": optional, "setup": by_setup }),
            );
        }
        let as_row = |permission: &Permission| {
            [permission.name, permission.access.word(), permission.purpose].map(str::to_owned)
        };
        let rows: Vec<[String; 3]> = NEEDED.iter().map(as_row).collect();
        let optional: Vec<[String; 3]> = OPTIONAL.iter().map(as_row).collect();
        let by_setup: Vec<&str> = NEEDED_BY_SETUP.iter().map(|(name, _)| *name).collect();
        print(&format!(
            "{}\nYou may add:\n{}\nEverything else stays at None. The dashboard's form, with these chosen:\n{form_url}\n\n\
             till stripe setup needs Write for {} in addition: run it with the secret key, or with a key of its own.\n",
            table(["PERMISSION", "ACCESS", "FOR"], &rows),
            table(["PERMISSION", "ACCESS", "FOR"], &optional),
            by_setup.join(", ")
        ))
    }

    fn sources(&self) -> Sources {
        Sources::from_process(flags([("SPRITE_CATALOG", &self.catalog), ("SPRITE_DATABASE", &self.database)]))
    }
}
