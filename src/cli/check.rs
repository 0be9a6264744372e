//! `till check`: checks that configuration, database and Stripe fit together, one line each.

use clap::Args;
use serde_json::json;

use super::output::{print, print_json};
use super::settings::{DatabaseArgs, IfMissing};
use super::{CommandError, CommandResult};
use crate::config::Need;
use crate::usecase::operator::check;

/// Check configuration, database, Stripe key, prices, customer portal, webhook endpoint, public URL and clock
///
/// Calls Stripe, and sends one request to the public URL. Exits with 1 if anything is wrong.
#[derive(Args)]
#[command(after_help = "Example:\n  till check")]
pub(super) struct Check {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print {"data":[{"what","is_good","detail"}…]}
    #[arg(long)]
    json: bool,
    /// Say that this machine's clock is right, where till doubts it and Stripe cannot be asked
    #[arg(long)]
    clock_is_right: bool,
}

impl Check {
    pub(super) fn run(&self) -> CommandResult {
        let app = self.database.open(Need::StripeKeyAndWebhookSecret, IfMissing::Create)?;
        if self.clock_is_right {
            app.store.confirm_time()?;
        }
        let findings = check::check(&app);
        if self.json {
            let row = |finding: &check::Finding| json!({ "what": finding.what, "is_good": finding.is_good, "detail": finding.detail });
            print_json(&json!({ "data": findings.iter().map(row).collect::<Vec<_>>() }))?;
        } else {
            let line = |finding: &check::Finding| {
                let mark = if finding.is_good { "ok  " } else { "FAIL" };
                format!("{mark}  {:<20} {}\n", finding.what, finding.detail)
            };
            print(&findings.iter().map(line).collect::<String>())?;
        }
        if findings.iter().all(|finding| finding.is_good) { Ok(()) } else { Err(CommandError::Unsatisfied) }
    }
}
