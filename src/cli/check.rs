//! `till check`: checks that configuration, database and Stripe fit together, one line each.

use clap::Args;
use serde_json::{Value, json};

use super::output::{one_line, print, print_json};
use super::settings::{DatabaseArgs, IfMissing};
use super::{CommandError, CommandResult};
use crate::app::App;
use crate::config::Need;
use crate::usecase::operator::check::{self, Finding, Verdict};
use crate::usecase::operator::clock;

/// Check the machine, the books, Stripe, and the way from Stripe and from browsers to here
///
/// The machine: configuration, who may touch the files, kind of file system, free disk, time synchronisation, age of the last
/// backup. The books: whether they take writes, some accounts added up again, events that were not applied, the last
/// comparison with Stripe, what waits for a hand. Stripe: key, clock, account, permissions (asked for once each: a list with
/// one row, or a change of an object that does not exist), prices, customer portal, renewals, webhook endpoint, and what it
/// could not deliver in the last day. The way: the certificate, probes through the public URL that must arrive in this
/// database, and what the proxy says of its clients.
///
/// ok: it was seen to work. warn: it works, and somebody should look at it. FAIL: it falls short. A ? stands before what cannot
/// be judged yet, or what only you can judge. Exits with 1 if anything falls short, else with 0, also with warnings. till
/// status says the part that asks nobody.
#[derive(Args)]
#[command(after_help = "Example:\n  till check")]
pub(super) struct Check {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print {"severity","engine","data":[{"what","severity","is_good","detail"}…]}: ok, unknown, warning or failed, of all the worst;
    /// is_good is null for warnings and for what is unknown
    #[arg(long)]
    json: bool,
    /// Say that this machine's clock is right, where till doubts it and Stripe cannot be asked
    #[arg(long)]
    clock_is_right: bool,
}

impl Check {
    pub(super) fn run(&self) -> CommandResult {
        let need = Need::Serve;
        let app = self.database.open_unconfirmed(need, IfMissing::Refuse)?;
        if self.clock_is_right {
            clock::confirm(&app)?;
        }
        let findings = check::check(&app);
        if self.json {
            print_json(&as_json(&app, &findings))?;
        } else {
            print(&findings.iter().map(line).collect::<String>())?;
        }
        exit(&findings)
    }
}

/// The line of a finding.
pub(super) fn line(finding: &Finding) -> String {
    let mark = match finding.verdict {
        Verdict::Good => "ok  ",
        Verdict::Warning => "warn",
        Verdict::Bad => "FAIL",
        Verdict::Open => "?   ",
    };
    format!("{mark}  {:<20} {}\n", finding.what, one_line(&finding.detail))
}

/// Findings for monitoring.
pub(super) fn as_json(app: &App, findings: &[Finding]) -> Value {
    let row = |finding: &Finding| {
        let severity = finding.verdict.severity();
        json!({ "what": finding.what, "severity": severity, "is_good": finding.is_good(), "detail": finding.detail })
    };
    let severity = Verdict::worst(findings).severity();
    let engine = app.store.engine().name();
    json!({ "severity": severity, "engine": engine, "data": findings.iter().map(row).collect::<Vec<_>>() })
}

/// Exit status 1 if anything falls short.
pub(super) fn exit(findings: &[Finding]) -> CommandResult {
    match Verdict::worst(findings) {
        Verdict::Bad => Err(CommandError::Unsatisfied),
        Verdict::Good | Verdict::Open | Verdict::Warning => Ok(()),
    }
}
