//! `till ledger`: the proof of the ledger, its anchor, and its export as CSV.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output::{Stream, print, print_json};
use super::screen::Screen;
use super::settings::{DatabaseArgs, IfMissing};
use super::shapes::{DiscrepancyShape, HeadShape, ProofShape};
use super::{CommandError, CommandResult};
use crate::app::App;
use crate::config::Need;
use crate::error::Fault;
use crate::ledger::{Discrepancy, entry_id};
use crate::private_file::PrivateFile;
use crate::usecase::operator::export::export;
use crate::usecase::operator::head::{Anchor, take};
use crate::usecase::operator::output_file::refuse_database;
use crate::usecase::operator::verify::{Proof, verify_against};

/// Accounts between two reports of progress.
const PROGRESS_STEP: u64 = 1000;

/// Prove the books; print their anchor; write them as CSV
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
        /// Also prove that what this anchor covers is as it was: a line of till ledger head, or of the log (books_head)
        #[arg(long, value_name = "LINE", value_parser = anchor)]
        anchor: Option<Anchor>,
        /// Print {"holds","accounts","entries","breaks":[{"account","entry","what"}]}
        #[arg(long)]
        json: bool,
    },
    /// Print an anchor of the books: one line to keep outside of the database, for verify --anchor
    ///
    /// It counts accounts and entries, with a digest over the last hash of each account. As long as somebody else keeps the
    /// line, nobody can change, remove or insert an entry that it covers without verify --anchor finding it, not even by
    /// recomputing all hashes. The books may grow meanwhile. till serve logs one each hour.
    #[command(after_help = "Example:\n  till ledger head >> /somewhere/else/anchors")]
    Head {
        /// Print {"anchor","number","accounts","entries","digest","taken_at"}
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
            LedgerCommand::Verify { anchor, json } => prove(&app, anchor.as_ref(), *json),
            LedgerCommand::Head { json } => print_head(&take(&app)?, *json),
            LedgerCommand::Export { user, output: None } => {
                let mut stream = Stream::open();
                let result = export(&app, user.as_deref(), &mut stream);
                result.map(|_| ()).map_err(|error| stream.error(error.into()))
            }
            LedgerCommand::Export { user, output: Some(path) } => export_to(&app, user.as_deref(), path),
        }
    }
}

fn prove(app: &App, anchor: Option<&Anchor>, json: bool) -> CommandResult {
    let mut screen = Screen::open(false);
    let proof = verify_against(app, anchor, |proof| {
        if proof.accounts % PROGRESS_STEP == 0 {
            screen.show(&format!("accounts {}, entries {}", proof.accounts, proof.entries));
        }
    })?;
    drop(screen);
    let holds = proof.breaks.is_empty();
    if json {
        print_json(&as_json(&proof))?;
    } else {
        print(&as_text(&proof, anchor))?;
    }
    if holds { Ok(()) } else { Err(CommandError::Unsatisfied) }
}

fn as_text(proof: &Proof, anchor: Option<&Anchor>) -> String {
    let mut text = String::new();
    for Discrepancy { account, seq, what } in &proof.breaks {
        match seq {
            0 if *account == 0 => text.push_str(&format!("the books: {what}\n")),
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
    if let (Some(anchor), true) = (anchor, proof.breaks.is_empty()) {
        let (number, entries) = (anchor.number, anchor.head.entries);
        text.push_str(&format!("What the anchor {number} covers is as it was: entries {entries}.\n"));
    }
    text
}

pub(super) fn anchor(line: &str) -> Result<Anchor, String> {
    let expected = "a line of till ledger head was expected, till-head-1 number=… accounts=… entries=… digest=…";
    Anchor::parse(line).ok_or_else(|| expected.to_owned())
}

fn print_head(anchor: &Anchor, json: bool) -> CommandResult {
    if json {
        return print_json(&HeadShape::of(anchor));
    }
    print(&format!("{anchor}\n"))
}

fn as_json(proof: &Proof) -> ProofShape {
    let discrepancy = |found: &Discrepancy| DiscrepancyShape {
        account: Some(found.account).filter(|account| *account != 0),
        entry: (found.seq > 0).then(|| entry_id(found.account, found.seq)),
        what: found.what.clone(),
    };
    let breaks: Vec<_> = proof.breaks.iter().map(discrepancy).collect();
    ProofShape { holds: breaks.is_empty(), accounts: proof.accounts, entries: proof.entries, breaks }
}

/// Writes to a private file that gets its name in the end, so that an incomplete export is never taken for a complete one.
fn export_to(app: &App, user: Option<&str>, path: &Path) -> CommandResult {
    let fault = |cause| Fault::new(format!("cannot write {}", path.display()), cause);
    refuse_database(path, app.store.database())?;
    let mut file = BufWriter::new(PrivateFile::begin(path).map_err(fault)?);
    let count = export(app, user, &mut file)?;
    let file = file.into_inner().map_err(|cause| fault(cause.into_error()))?;
    file.finish().map_err(fault)?;
    let counted = if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
    print(&format!("{counted} in {}\n", path.display()))
}
