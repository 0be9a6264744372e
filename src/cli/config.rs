//! `till config`: each variable, its value with secrets masked, and where that comes from.

use clap::Args;
use serde_json::json;

use super::output::{or_dash, print, print_json, table};
use super::settings::DatabaseArgs;
use super::{CommandError, CommandResult, eprint_lines};
use crate::config::{self, Explanation, Setting, Sources};

/// Show each variable with its value and where that comes from
///
/// Secrets are masked. Opens no database and asks nobody. Warnings and faults follow on standard error; with a fault the
/// exit status is 2, as for every command that does not start because of it.
#[derive(Args)]
#[command(after_help = "Example:\n  till config")]
pub(super) struct Config {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print {"data":[{"variable","value","source"}…]}
    #[arg(long)]
    json: bool,
}

impl Config {
    pub(super) fn run(&self) -> CommandResult {
        let Explanation { settings, warnings, faults } = config::explain(&Sources::from_process(self.database.flags()));
        if self.json {
            let row = |setting: &Setting| {
                let Setting { variable, value, source } = setting;
                json!({ "variable": variable, "value": value, "source": source })
            };
            print_json(&json!({ "data": settings.iter().map(row).collect::<Vec<_>>() }))?;
        } else {
            let row = |setting: &Setting| {
                let Setting { variable, value, source } = setting;
                [variable.clone(), or_dash(value.as_ref()), source.clone()]
            };
            print(&table(["VARIABLE", "VALUE", "SOURCE"], &settings.iter().map(row).collect::<Vec<_>>()))?;
        }
        eprint_lines("warning", &warnings);
        match faults.is_empty() {
            true => Ok(()),
            false => Err(CommandError::Usage(faults.iter().map(ToString::to_string).collect())),
        }
    }
}
