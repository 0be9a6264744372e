//! The command line: one file a command, which parses, calls one use case and prints. Nothing here decides anything
//! about units or money. Results go to standard output, everything else to standard error.
//!
//! Exit status (contract, section 6): 0 done; 1 the thing asked failed or falls short; 2 wrong usage or configuration.

mod check;
mod demo;
mod event;
mod hook;
mod ledger;
mod logging;
pub mod nss;
mod output;
mod reconcile;
mod running;
mod sandbox;
mod screen;
mod serve;
mod settings;
mod shapes;
mod signals;
mod stripe;
mod token;
mod user;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{Error, Fault, Refused};

/// A cash register for people who sell prepaid units through Stripe Checkout.
#[derive(Parser)]
#[command(name = "till", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Try it, with no account and no configuration:\n  till demo\n\nRun it:\n  till serve\n\n\
    Exit status: 0 done, 1 it failed or something falls short, 2 wrong usage or configuration.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Sandbox(sandbox::Sandbox),
    User(user::User),
    Token(token::Token),
    Ledger(ledger::Ledger),
    Event(event::Event),
    Hook(hook::Hook),
    Reconcile(reconcile::Reconcile),
    Check(check::Check),
    Stripe(stripe::Stripe),
}

/// Why a command did not end well.
enum Failure {
    /// What was asked failed.
    Failed(String),
    /// The command line or the configuration is wrong; every fault of it.
    Usage(Vec<String>),
    /// Something falls short, and the output says what.
    FallsShort,
    /// Whoever read the output has seen enough.
    ReaderLeft,
}

/// How a command ends.
type Done = Result<(), Failure>;

/// Does what the command line says.
pub fn run() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(said) => {
            // Help and version are such "errors" too; a reader that has left does not need them.
            let _unread = said.print();
            return if said.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let done = match command {
        Command::Demo(demo) => demo.run(),
        Command::Serve(serve) => serve.run(),
        Command::Sandbox(sandbox) => sandbox.run(),
        Command::User(user) => user.run(),
        Command::Token(token) => token.run(),
        Command::Ledger(ledger) => ledger.run(),
        Command::Event(event) => event.run(),
        Command::Hook(hook) => hook.run(),
        Command::Reconcile(reconcile) => reconcile.run(),
        Command::Check(check) => check.run(),
        Command::Stripe(stripe) => stripe.run(),
    };
    match done {
        Ok(()) | Err(Failure::ReaderLeft) => ExitCode::SUCCESS,
        Err(Failure::FallsShort) => ExitCode::FAILURE,
        Err(Failure::Failed(what)) => {
            complain("error", &[what]);
            ExitCode::FAILURE
        }
        Err(Failure::Usage(faults)) => {
            complain("error", &faults);
            ExitCode::from(2)
        }
    }
}

/// Writes to standard error, a line each. Where nobody can hear it, nothing can be done about that.
fn complain(label: &str, lines: &[String]) {
    let mut stderr = std::io::stderr().lock();
    for line in lines {
        let _unheard = writeln!(stderr, "{label}: {line}");
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Failed(fault.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            // The request was written on the command line.
            Error::Refused(Refused::InvalidRequest(detail)) => Failure::Usage(vec![detail]),
            Error::Refused(refused) => Failure::Failed(refused.detail()),
            Error::Fault(fault) => fault.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

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
