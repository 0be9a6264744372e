//! `till ledger`: the proof of the ledger, and its export as CSV.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output::{Stream, print, print_json};
use super::screen::Screen;
use super::settings::{DatabaseArgs, IfMissing};
use super::shapes::{DiscrepancyShape, ProofShape};
use super::{CommandError, CommandResult};
use crate::app::App;
use crate::config::Need;
use crate::error::Fault;
use crate::ledger::{Discrepancy, entry_id};
use crate::usecase::operator::export::export;
use crate::usecase::operator::verify::{Proof, verify};

/// Accounts between two reports of progress.
const PROGRESS_STEP: u64 = 1000;

/// Prove the books; write them as CSV
#[derive(Args)]
pub(super) struct Ledger {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Subcommand)]
enum LedgerCommand {
    /// Prove that no entry was changed, removed or inserted, and that every balance follows from its entries
    ///
    /// If the books do not hold, names each break on a line of its own and exits with 1.
    #[command(after_help = "Example:\n  till ledger verify")]
    Verify {
        /// Print {"holds","accounts","entries","breaks":[{"account","entry","what"}]}
        #[arg(long)]
        json: bool,
    },
    /// Write all entries as CSV, each with its hash and the previous one, so that the file can be verified alone
    #[command(after_help = "Examples:\n  till ledger export --output books.csv\n  till ledger export --user alice")]
    Export {
        /// Only this user's entries
        #[arg(long, value_name = "ID")]
        user: Option<String>,
        /// Write to this file instead of standard output; an existing file is replaced when the export is complete
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

impl Ledger {
    pub(super) fn run(&self) -> CommandResult {
        let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
        match &self.command {
            LedgerCommand::Verify { json } => prove(&app, *json),
            LedgerCommand::Export { user, output: None } => {
                let mut stream = Stream::open();
                let result = export(&app, user.as_deref(), &mut stream);
                result.map(|_| ()).map_err(|error| stream.error(error.into()))
            }
            LedgerCommand::Export { user, output: Some(path) } => export_to(&app, user.as_deref(), path),
        }
    }
}

fn prove(app: &App, json: bool) -> CommandResult {
    let mut screen = Screen::open(false);
    let proof = verify(app, |proof| {
        if proof.accounts % PROGRESS_STEP == 0 {
            screen.show(&format!("accounts {}, entries {}", proof.accounts, proof.entries));
        }
    })?;
    drop(screen);
    let holds = proof.breaks.is_empty();
    if json {
        print_json(&as_json(&proof))?;
    } else {
        print(&as_text(&proof))?;
    }
    if holds { Ok(()) } else { Err(CommandError::Unsatisfied) }
}

fn as_text(proof: &Proof) -> String {
    let mut text = String::new();
    for Discrepancy { account, seq, what } in &proof.breaks {
        match seq {
            0 => text.push_str(&format!("account {account}: {what}\n")),
            seq => text.push_str(&format!("account {account}, {}: {what}\n", entry_id(*account, *seq))),
        }
    }
    let verdict = match proof.breaks.len() {
        0 => "The books hold".to_owned(),
        1 => "The books do not hold, in one place".to_owned(),
        count => format!("The books do not hold, in {count} places"),
    };
    text.push_str(&format!("{verdict}: accounts {}, entries {}.\n", proof.accounts, proof.entries));
    text
}

fn as_json(proof: &Proof) -> ProofShape {
    let discrepancy = |found: &Discrepancy| DiscrepancyShape {
        account: found.account,
        entry: (found.seq > 0).then(|| entry_id(found.account, found.seq)),
        what: found.what.clone(),
    };
    let breaks: Vec<_> = proof.breaks.iter().map(discrepancy).collect();
    ProofShape { holds: breaks.is_empty(), accounts: proof.accounts, entries: proof.entries, breaks }
}

/// Writes to a file beside this one and renames it in the end, so that an incomplete export is never taken for a complete
/// one.
fn export_to(app: &App, user: Option<&str>, path: &Path) -> CommandResult {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let fault = |cause| Fault::new(format!("cannot write {}", path.display()), cause);
    let mut file = BufWriter::new(File::create(&partial).map_err(fault)?);
    let result = export(app, user, &mut file).map_err(CommandError::from).and_then(|count| {
        let file = file.into_inner().map_err(|cause| fault(cause.into_error()))?;
        file.sync_all().and_then(|()| std::fs::rename(&partial, path)).map_err(fault)?;
        Ok(count)
    });
    if result.is_err() {
        let _not_removed = std::fs::remove_file(&partial);
    }
    print(&format!("{} entries in {}\n", result?, path.display()))
}
