//! `till check`: checks that configuration, database and Stripe fit together, one line each.

use clap::Args;
use serde_json::json;

use super::output::{print, print_json};
use super::settings::{DatabaseArgs, IfMissing};
use super::{CommandError, CommandResult};
use crate::config::Need;
use crate::usecase::operator::check::{self, Verdict};
use crate::usecase::operator::clock;

/// Check configuration, database, Stripe key, account, permissions, prices, customer portal, renewals, webhooks, public URL
/// and clock
///
/// Calls Stripe, asks once for each permission (a list with one row, or a change of an object that does not exist), and
/// sends probes to the public URL, which must arrive in this database. Asks Stripe what it could not deliver in the last
/// day. A ? stands before what cannot be judged yet, or what only you can judge. Exits with 1 if anything is wrong.
#[derive(Args)]
#[command(after_help = "Example:\n  till check")]
pub(super) struct Check {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print {"data":[{"what","is_good","detail"}…]}; is_good is null where a ? would stand
    #[arg(long)]
    json: bool,
    /// Say that this machine's clock is right, where till doubts it and Stripe cannot be asked
    #[arg(long)]
    clock_is_right: bool,
}

impl Check {
    pub(super) fn run(&self) -> CommandResult {
        let need = Need::Serve;
        let app = self.database.open_unconfirmed(need, IfMissing::Create)?;
        if self.clock_is_right {
            clock::confirm(&app)?;
        }
        let findings = check::check(&app);
        if self.json {
            let row = |finding: &check::Finding| json!({ "what": finding.what, "is_good": finding.is_good(), "detail": finding.detail });
            print_json(&json!({ "data": findings.iter().map(row).collect::<Vec<_>>() }))?;
        } else {
            let line = |finding: &check::Finding| {
                let mark = match finding.verdict {
                    Verdict::Good => "ok  ",
                    Verdict::Bad => "FAIL",
                    Verdict::Open => "?   ",
                };
                format!("{mark}  {:<20} {}\n", finding.what, finding.detail)
            };
            print(&findings.iter().map(line).collect::<String>())?;
        }
        if findings.iter().all(|finding| finding.verdict != Verdict::Bad) {
            Ok(())
        } else {
            Err(CommandError::Unsatisfied)
        }
    }
}
