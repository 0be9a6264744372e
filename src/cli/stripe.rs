//! `till stripe`: setting Stripe up for this shop.

use clap::{Args, Subcommand};

use super::Done;
use super::output::print;
use super::settings::{Books, IfMissing};
use crate::config::Need;
use crate::usecase::operator::stripe_setup;

/// Set Stripe up for this shop
#[derive(Args)]
pub(super) struct Stripe {
    #[command(flatten)]
    books: Books,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make products, prices, the customer portal and the webhook endpoint, and print the lines for the configuration
    ///
    /// What is there already is found again and not made twice. The customer portal is set to offer the plans on sale;
    /// run this again when they have changed. The endpoint's signing secret is printed when it is
    /// made, and never again.
    #[command(after_help = "Example:\n  till stripe setup --dry-run")]
    Setup {
        /// Say what it would make, and make nothing
        #[arg(long)]
        dry_run: bool,
    },
}

impl Stripe {
    pub(super) fn run(&self) -> Done {
        let Verb::Setup { dry_run } = self.verb;
        let app = self.books.open(Need::StripeKey, IfMissing::Make)?;
        let setup = stripe_setup::set_up(&app, dry_run)?;
        let steps: String = setup.steps.iter().map(|step| format!("# {step}\n")).collect();
        let lines: String = setup.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        print(&format!("{steps}{lines}"))
    }
}
