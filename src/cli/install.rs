//! `till install`: till as a service of this machine, where there is no package.

use std::path::{Path, PathBuf};

use clap::{Args, Command};

use super::manual;
use super::output::print;
use super::{CommandError, CommandResult};
use crate::error::Fault;
use crate::usecase::operator::install::{self, NewFile, Place, Step};

/// Install this program as a service of this machine, where there is no package
///
/// Copies the program, and writes the systemd units, the manual, the completions of the shells and an example of the
/// configuration; makes the user till and its folders. What is there already stays as it is, and the configuration is never
/// replaced, so the command may be run again, also for a new version. It enables nothing, and starts nothing that does not
/// run. The last lines say how to take it away again.
#[derive(Args)]
#[command(after_help = "Examples:\n  till install --dry-run\n  sudo till install")]
pub(super) struct Install {
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The folder below which bin, lib and share are
    #[arg(long, value_name = "FOLDER", default_value = "/usr/local")]
    prefix: PathBuf,
    /// Write the files below this folder, as a package wants them: no user is made, and nothing is run
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    root: PathBuf,
}

impl Install {
    /// `whole` is the command line.
    pub(super) fn run(&self, whole: Command) -> CommandResult {
        let Ok(prefix) = self.prefix.strip_prefix("/") else {
            let what = format!("--prefix is {}: expected a path that begins with /", self.prefix.display());
            return Err(CommandError::Usage(vec![what]));
        };
        let place = Place { root: self.root.clone(), prefix: prefix.to_owned() };
        let more = texts(&place, whole)?;
        let program = std::fs::read("/proc/self/exe").map_err(|cause| Fault::new("cannot read this program", cause))?;
        let undoing = install::undoing(&place, &more);
        let mut printed = Ok(());
        let done = install::install(&place, program, more, self.dry_run, &mut |step| {
            // A reader that has gone away does not end the installation half-way.
            if printed.is_ok() {
                printed = print(&line(step));
            }
        });
        done?;
        printed?;
        let fate = if self.dry_run { "Nothing was done. " } else { "" };
        let next = match self.root == Path::new("/") {
            true => {
                "Next: run till setup, or edit /etc/till/till.env; then till check, and systemctl enable --now till.socket till.service\n"
            }
            false => "",
        };
        print(&format!(
            "{fate}{next}To take it away again (configuration and books stay):\n  {}\n",
            undoing.join("\n  ")
        ))
    }
}

/// The manual and the completions.
fn texts(place: &Place, whole: Command) -> CommandResult<Vec<NewFile>> {
    let share = |path: &str| place.prefix.join("share").join(path);
    // Debian's packages have a place of their own.
    let zsh =
        if place.prefix == Path::new("usr") { "zsh/vendor-completions/_till" } else { "zsh/site-functions/_till" };
    let mut files = Vec::new();
    for (title, page) in manual::pages(&whole)? {
        files.push(NewFile::shared(share(&format!("man/man1/{title}.1")), page));
    }
    let [bash, zsh_script, fish] = manual::scripts(&whole)?;
    files.push(NewFile::shared(share("bash-completion/completions/till"), bash));
    files.push(NewFile::shared(share(zsh), zsh_script));
    files.push(NewFile::shared(share("fish/vendor_completions.d/till.fish"), fish));
    Ok(files)
}

fn line(step: &Step) -> String {
    let (verb, what) = match step {
        Step::Make(path) => ("make", path.display().to_string()),
        Step::Replace(path) => ("replace", path.display().to_string()),
        Step::Leave(path) => ("as it is", path.display().to_string()),
        Step::Keep(path) => ("keep", path.display().to_string()),
        Step::Run(command) => ("run", command.clone()),
        Step::Note(text) => ("note", text.clone()),
    };
    format!("{verb:<9} {what}\n")
}
