//! `till stripe`: sets up Stripe for this shop.

use clap::{Args, Subcommand};

use super::CommandResult;
use super::output::print;
use super::settings::{DatabaseArgs, IfMissing};
use crate::config::Need;
use crate::usecase::operator::stripe_setup;

/// Set up Stripe for this shop
#[derive(Args)]
pub(super) struct Stripe {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: StripeCommand,
}

#[derive(Subcommand)]
enum StripeCommand {
    /// Create products, prices, the customer portal and the webhook endpoint, and print the lines for the configuration
    ///
    /// What exists already is found and not created twice. The customer portal is set to offer the plans on sale; run this
    /// again when they change. The endpoint's signing secret is printed when the endpoint is created, and never again.
    #[command(after_help = "Example:\n  till stripe setup --dry-run")]
    Setup {
        /// Print what would be created, and create nothing
        #[arg(long)]
        dry_run: bool,
    },
}

impl Stripe {
    pub(super) fn run(&self) -> CommandResult {
        let StripeCommand::Setup { dry_run } = self.command;
        let app = self.database.open(Need::StripeKey, IfMissing::Create)?;
        let setup = stripe_setup::set_up(&app, dry_run)?;
        let steps: String = setup.steps.iter().map(|step| format!("# {step}\n")).collect();
        let lines: String = setup.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        print(&format!("{steps}{lines}"))
    }
}
