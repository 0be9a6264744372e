//! The command line: one file per command, which parses, calls a use case and prints. Nothing here decides anything about
//! units or money. Results go to standard output, everything else to standard error.
//!
//! Exit status: 0 success; 1 the command failed, or its check did; 2 wrong usage or configuration.

mod audit;
mod backup;
mod catalog;
mod check;
mod config;
mod demo;
mod event;
mod folder;
mod go_live;
mod healthcheck;
mod hook;
mod import;
mod install;
mod ledger;
mod logging;
mod manual;
mod migrate;
pub mod nss;
mod output;
mod passed_sockets;
mod payment;
mod person;
mod reconcile;
mod restore;
mod revenue;
mod revenue_export;
mod sandbox;
mod screen;
mod serve;
mod service;
mod settings;
mod setup;
mod shapes;
mod signals;
mod status;
mod stripe;
mod token;
mod user;
mod user_show;
mod watchdog;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::{Error, Fault, Refused};

/// A cash register for people who sell prepaid units through Stripe Checkout.
#[derive(Parser)]
#[command(name = "till", version = env!("TILL_VERSION"), subcommand_required = true, arg_required_else_help = true)]
#[command(
    after_help = "Try it, with no account and no configuration:\n  till demo\n\nRun it:\n  till setup\n  till serve\n\n\
    --database FILE and --catalog FILE may stand before the command or after it.\n\
    Exit status: 0 success, 1 failure or a check that failed, 2 wrong usage or configuration."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Demo),
    Setup(setup::SetupCommand),
    Serve(serve::Serve),
    Sandbox(sandbox::Sandbox),
    User(user::User),
    Token(token::Token),
    Ledger(ledger::Ledger),
    Audit(audit::Audit),
    Event(event::Event),
    Payment(payment::Payment),
    Hook(hook::Hook),
    Reconcile(reconcile::Reconcile),
    Revenue(revenue::Revenue),
    Check(check::Check),
    Stripe(stripe::Stripe),
    Config(config::Config),
    Catalog(catalog::CatalogCommand),
    Status(status::Status),
    Healthcheck(healthcheck::Healthcheck),
    Completions(manual::Completions),
    #[command(name = "man")]
    Manual(manual::Manual),
    GoLive(go_live::GoLiveCommand),
    Backup(backup::BackupCommand),
    Restore(restore::RestoreCommand),
    Migrate(migrate::MigrateCommand),
    Import(import::ImportCommand),
    Install(install::Install),
}

/// Options of every command that opens the books. They may stand before the command too.
const COMMON_OPTIONS: [&str; 2] = ["--database", "--catalog"];

enum CommandError {
    Failed(String),
    /// Every fault of the command line or the configuration.
    Usage(Vec<String>),
    /// The command ran, and what it checked is not in order: its output says what.
    Unsatisfied,
    /// The reader closed the pipe early (`till … | head`), which is no error.
    OutputClosed,
}

type CommandResult<T = ()> = Result<T, CommandError>;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let command = match Cli::try_parse_from(command_first(std::env::args_os().collect())) {
        Ok(cli) => cli.command,
        Err(error) => {
            // Help and version are such "errors" too. If nobody reads them, there is nothing left to do.
            let _unread = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let result = match command {
        Command::Demo(demo) => demo.run(),
        Command::Setup(setup) => setup.run(),
        Command::Serve(serve) => serve.run(),
        Command::Sandbox(sandbox) => sandbox.run(),
        Command::User(user) => user.run(),
        Command::Token(token) => token.run(),
        Command::Ledger(ledger) => ledger.run(),
        Command::Audit(audit) => audit.run(),
        Command::Event(event) => event.run(),
        Command::Payment(payment) => payment.run(),
        Command::Hook(hook) => hook.run(),
        Command::Reconcile(reconcile) => reconcile.run(),
        Command::Revenue(revenue) => revenue.run(),
        Command::Check(check) => check.run(),
        Command::Stripe(stripe) => stripe.run(),
        Command::Config(config) => config.run(),
        Command::Catalog(catalog) => catalog.run(),
        Command::Status(status) => status.run(),
        Command::Healthcheck(healthcheck) => healthcheck.run(),
        Command::Completions(completions) => completions.run(Cli::command()),
        Command::Manual(manual) => manual.run(Cli::command()),
        Command::GoLive(go_live) => go_live.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Import(import) => import.run(),
        Command::Install(install) => install.run(Cli::command()),
    };
    match result {
        Ok(()) | Err(CommandError::OutputClosed) => ExitCode::SUCCESS,
        Err(CommandError::Unsatisfied) => ExitCode::FAILURE,
        Err(CommandError::Failed(message)) => {
            eprint_lines("error", &[message]);
            ExitCode::FAILURE
        }
        Err(CommandError::Usage(faults)) => {
            eprint_lines("error", &faults);
            ExitCode::from(2)
        }
    }
}

/// The arguments with the common options moved behind the command: `till --database FILE user list` means the same as
/// `till user --database FILE list`. A command that has no such option refuses it there.
fn command_first(arguments: Vec<OsString>) -> Vec<OsString> {
    let is_common = |argument: &OsString| COMMON_OPTIONS.iter().any(|option| argument.as_os_str() == *option);
    let has_value = |argument: &OsString| {
        let text = argument.to_string_lossy();
        COMMON_OPTIONS.iter().any(|option| text.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')))
    };
    let mut end = 1;
    while let Some(argument) = arguments.get(end) {
        match argument {
            argument if is_common(argument) => end += 2,
            argument if has_value(argument) => end += 1,
            _ => break,
        }
    }
    let mut ordered = arguments;
    if end < ordered.len() {
        ordered[1..=end].rotate_right(1);
    }
    ordered
}

/// Writes each line to standard error, behind a label. A failure to write there has nowhere else to go.
fn eprint_lines(label: &str, lines: &[String]) {
    let mut stderr = std::io::stderr().lock();
    for line in lines {
        let _unwritten = writeln!(stderr, "{label}: {}", output::safe_lines(line));
    }
}

impl From<Fault> for CommandError {
    fn from(fault: Fault) -> CommandError {
        CommandError::Failed(fault.to_string())
    }
}

impl From<Refused> for CommandError {
    fn from(refused: Refused) -> CommandError {
        match refused {
            // The request came from the command line.
            Refused::InvalidRequest(detail) => CommandError::Usage(vec![detail]),
            // The operator may mend the cause.
            Refused::DatabaseUnavailable { cause } => {
                let detail = Refused::DatabaseUnavailable { cause: String::new() }.detail();
                CommandError::Failed(format!("{detail} The cause: {cause}"))
            }
            other => CommandError::Failed(other.detail()),
        }
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> CommandError {
        match error {
            Error::Refused(refused) => refused.into(),
            Error::Fault(fault) => fault.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn common_options_may_stand_before_the_command() {
        for (given, expected) in [
            ("till user list", "till user list"),
            ("till --database a.db user list", "till user --database a.db list"),
            ("till --database=a.db --catalog c.toml user list", "till user --database=a.db --catalog c.toml list"),
            ("till --version", "till --version"),
            ("till --database", "till --database"),
            ("till --database a.db", "till --database a.db"),
            ("till", "till"),
        ] {
            let ordered = super::command_first(given.split(' ').map(Into::into).collect());
            assert_eq!(ordered, expected.split(' ').map(std::ffi::OsString::from).collect::<Vec<_>>(), "{given}");
        }
    }

    #[test]
    fn the_command_line_is_sound_and_every_command_has_help() {
        fn all_help(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                let path = format!("{path} {}", sub.get_name());
                assert!(sub.get_about().is_some(), "{path} says nothing about itself");
                let hidden = sub.get_arguments().filter(|arg| arg.get_help().is_none());
                assert_eq!(
                    hidden.map(|arg| arg.get_id().to_string()).collect::<Vec<_>>(),
                    Vec::<String>::new(),
                    "{path}"
                );
                all_help(sub, &path);
            }
        }
        let command = super::Cli::command();
        command.clone().debug_assert();
        all_help(&command, "till");
    }
}
