//! `till completions` and `till man`: what shells and man(1) show, written from the command line's own definition.

use std::io::Write;

use clap::{Args, Command, ValueEnum};
use clap_complete::aot::{Bash, Fish, Generator, Zsh};
use clap_mangen::Man;

use super::output::Stream;
use super::{CommandError, CommandResult};

/// Print the completion script of a shell
#[derive(Args)]
#[command(after_help = "Examples:\n  till completions bash > /etc/bash_completion.d/till\n  \
    till completions zsh > /usr/local/share/zsh/site-functions/_till\n  \
    till completions fish > ~/.config/fish/completions/till.fish")]
pub(super) struct Completions {
    /// Which shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    /// `whole` is the command line.
    pub(super) fn run(&self, whole: Command) -> CommandResult {
        match self.shell {
            Shell::Bash => write(&Bash, whole),
            Shell::Zsh => write(&Zsh, whole),
            Shell::Fish => write(&Fish, whole),
        }
    }
}

fn write(shell: &impl Generator, whole: Command) -> CommandResult {
    let mut out = Stream::open();
    let written = generate(shell, whole, &mut out).and_then(|()| out.flush());
    written.map_err(|cause| out.error(not_written(&cause)))
}

/// Print a page of the manual, for man(1)
#[derive(Args)]
#[command(after_help = "Examples:\n  till man | man -l -\n  till man user grant > till-user-grant.1")]
pub(super) struct Manual {
    /// The command that the page is about; the page of till itself if left out
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
}

impl Manual {
    /// `whole` is the command line.
    pub(super) fn run(&self, mut whole: Command) -> CommandResult {
        whole.build();
        let mut command = &whole;
        for name in &self.path {
            command = command.find_subcommand(name).ok_or_else(|| {
                let known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
                let known = if known.is_empty() { "no further word".to_owned() } else { known.join(", ") };
                CommandError::Usage(vec![format!("there is no command {name:?} here: expected {known}")])
            })?;
        }
        let title = std::iter::once("till").chain(self.path.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
        let mut out = Stream::open();
        let written = page(command, &title, &mut out).and_then(|()| out.flush());
        written.map_err(|cause| out.error(not_written(&cause)))
    }
}

fn page(command: &Command, title: &str, out: &mut impl Write) -> std::io::Result<()> {
    let page = Man::new(command.clone()).title(title).source(format!("till {}", env!("TILL_VERSION")));
    page.render(out)
}

/// The pages of all commands, each with its title: `till-user-grant`.
pub(super) fn pages(whole: &Command) -> CommandResult<Vec<(String, Vec<u8>)>> {
    fn add(command: &Command, title: &str, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
        let mut text = Vec::new();
        page(command, title, &mut text)?;
        pages.push((title.to_owned(), text));
        let named = command.get_subcommands().filter(|sub| sub.get_name() != "help");
        named.into_iter().try_for_each(|sub| add(sub, &format!("{title}-{}", sub.get_name()), pages))
    }
    let mut built = whole.clone();
    built.build();
    let mut pages = Vec::new();
    add(&built, "till", &mut pages).map_err(|cause| not_written(&cause))?;
    Ok(pages)
}

/// The completion scripts of bash, zsh and fish.
pub(super) fn scripts(whole: &Command) -> CommandResult<[Vec<u8>; 3]> {
    fn script(shell: &impl Generator, whole: &Command) -> CommandResult<Vec<u8>> {
        let mut text = Vec::new();
        generate(shell, whole.clone(), &mut text).map_err(|cause| not_written(&cause))?;
        Ok(text)
    }
    Ok([script(&Bash, whole)?, script(&Zsh, whole)?, script(&Fish, whole)?])
}

fn generate(shell: &impl Generator, mut whole: Command, out: &mut dyn Write) -> std::io::Result<()> {
    whole.set_bin_name("till");
    whole.build();
    shell.try_generate(&whole, out)
}

fn not_written(cause: &std::io::Error) -> CommandError {
    CommandError::Failed(format!("cannot write to standard output: {cause}"))
}
