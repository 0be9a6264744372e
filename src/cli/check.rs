//! `till check`: one line for each thing that must fit together.

use clap::Args;
use serde_json::json;

use super::output::{print, print_json};
use super::settings::{Books, IfMissing};
use super::{Done, Failure};
use crate::config::Need;
use crate::usecase::operator::check;

/// Check configuration, database, Stripe key, prices, customer portal, webhook endpoint, public URL and clock
///
/// Asks Stripe, and posts once through the public URL. Exits with 1 when anything falls short.
#[derive(Args)]
#[command(after_help = "Example:\n  till check")]
pub(super) struct Check {
    #[command(flatten)]
    books: Books,
    /// Print {"data":[{"what","is_good","detail"}…]}
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self) -> Done {
        let app = self.books.open(Need::StripeKeyAndWebhookSecret, IfMissing::Make)?;
        let found = check::check(&app);
        if self.json {
            let row = |finding: &check::Finding| json!({ "what": finding.what, "is_good": finding.is_good, "detail": finding.detail });
            print_json(&json!({ "data": found.iter().map(row).collect::<Vec<_>>() }))?;
        } else {
            let line = |finding: &check::Finding| {
                let mark = if finding.is_good { "ok  " } else { "FAIL" };
                format!("{mark}  {:<20} {}\n", finding.what, finding.detail)
            };
            print(&found.iter().map(line).collect::<String>())?;
        }
        if found.iter().all(|finding| finding.is_good) { Ok(()) } else { Err(Failure::FallsShort) }
    }
}
