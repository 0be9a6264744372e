//! `till audit`: what was done, by whom and from where.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::CommandResult;
use super::output::{or_dash, print, print_json, table};
use super::settings::{DatabaseArgs, IfMissing};
use super::shapes::WholeList;
use crate::clock::rfc3339;
use crate::config::Need;
use crate::store::audit::{AuditFilter, AuditRow};
use crate::usecase::audit;

/// List what commands, tokens and people did
#[derive(Args)]
pub(super) struct Audit {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// List what was done apart from movements, newest first
    ///
    /// Who made a movement stands in the last column of till ledger export.
    #[command(after_help = "Example:\n  till audit list --limit 20")]
    List {
        /// At most so many, up to 1000
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// Only those before the one with this number: the next page
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
        /// Only by this actor: cli, till, stripe, token:ID or user:ID
        #[arg(long, conflicts_with_all = ["action", "target"])]
        actor: Option<String>,
        /// Only this action, such as token_revoked
        #[arg(long, conflicts_with = "target")]
        action: Option<String>,
        /// Only what was done to this id
        #[arg(long)]
        target: Option<String>,
        /// Print {"data":[{"number","at","actor","action","target","address","detail","reason"}…]}
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct AuditShape<'a> {
    number: i64,
    at: String,
    actor: &'a str,
    action: &'a str,
    target: Option<&'a str>,
    address: Option<&'a str>,
    detail: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> From<&'a AuditRow> for AuditShape<'a> {
    fn from(row: &'a AuditRow) -> AuditShape<'a> {
        AuditShape {
            number: row.number,
            at: rfc3339(row.at),
            actor: &row.actor,
            action: &row.action,
            target: row.target.as_deref(),
            address: row.address.as_deref(),
            detail: row.detail.as_deref(),
            reason: row.reason.as_deref(),
        }
    }
}

impl Audit {
    pub(super) fn run(&self) -> CommandResult {
        let AuditCommand::List { limit, before, actor, action, target, json } = &self.command;
        let filter = AuditFilter::of(actor.clone(), action.clone(), target.clone());
        let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
        let rows = audit::list(&app, &filter, *before, *limit)?;
        if *json {
            return print_json(&WholeList::<AuditShape>::of(&rows));
        }
        let row = |row: &AuditRow| {
            let [target, address, detail, reason] =
                [&row.target, &row.address, &row.detail, &row.reason].map(|text| or_dash(text.as_ref()));
            [
                row.number.to_string(),
                rfc3339(row.at),
                row.actor.clone(),
                row.action.clone(),
                target,
                address,
                detail,
                reason,
            ]
        };
        let headings = ["NUMBER", "TIME", "ACTOR", "ACTION", "TARGET", "ADDRESS", "DETAIL", "REASON"];
        print(&table(headings, &rows.iter().map(row).collect::<Vec<_>>()))
    }
}
