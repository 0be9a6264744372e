//! What can be chosen after `cargo bench --`, within bounds.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measure the service API against an empty handler.
#[derive(Parser)]
#[command(name = "cargo bench --", about = "Measure the service API against an empty handler on this machine")]
pub struct Options {
    /// Users in the database, each with a lot
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub users: u32,
    /// Entries in the books before the load, spread over the users: lots, and the spends that used them up. Each user has
    /// a lot, so there are as many as users at least, which is also the default
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub entries: Option<u64>,
    /// Payments in the books, each with the event that told of it; they gave nothing
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub payments: u32,
    /// Seconds for each row of the table, in five rounds
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub seconds: u32,
    /// Connections kept open by the load
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub connections: u32,
    /// Measure this only; may be given several times
    #[arg(long, value_name = "SUBJECT")]
    pub only: Vec<Subject>,
    /// Where the database lies meanwhile; /dev/shm shows what is left when the disk costs nothing
    #[arg(long, value_name = "FOLDER", default_value = env!("CARGO_TARGET_TMPDIR"))]
    pub folder: PathBuf,
    /// Drop the database from the system's memory before each round, as if it were larger than that
    #[arg(long)]
    pub cold: bool,
    /// Start till serve on the filled database and wait for Enter
    #[arg(long)]
    pub serve_only: bool,
    /// Be the empty handler
    #[arg(long, hide = true)]
    pub baseline: bool,
    /// What cargo bench, and nobody else, says
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// `POST /v1/users/{id}/spends`
    Spends,
    /// `GET /v1/users/{id}`
    Reads,
    /// `POST /v1/spends`
    Batch,
    /// The statements of a spend without HTTP
    Sqlite,
    /// The operator's pages, one after the other
    Operator,
    /// Spends on a file, and on PostgreSQL by one process, two and three, beside pgbench; it is measured by itself
    Scale,
}

impl Options {
    /// Whether this is to be measured.
    pub fn wants(&self, subject: Subject) -> bool {
        self.only.is_empty() || self.only.contains(&subject)
    }

    /// The command that does the same again.
    pub fn command(&self) -> String {
        let Options { users, seconds, connections, .. } = self;
        let mut command = format!("cargo bench -- --users {users} --seconds {seconds} --connections {connections}");
        if let Some(entries) = self.entries {
            command.push_str(&format!(" --entries {entries}"));
        }
        command.push_str(&format!(" --payments {}", self.payments));
        if self.cold {
            command.push_str(" --cold");
        }
        for subject in self.only.iter().filter_map(ValueEnum::to_possible_value) {
            command.push_str(" --only ");
            command.push_str(subject.get_name());
        }
        command
    }
}
