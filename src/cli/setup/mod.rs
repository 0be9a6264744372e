//! `till setup`: asks for what a first start needs, and writes it. It decides nothing of its own: each answer is checked as the
//! variable that it becomes, and Stripe is set up as `till stripe setup` does it.

mod backups;
mod draft;
mod files;
mod interview;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use self::draft::Draft;
use self::interview::{Interview, Question, is_yes_or_no};
use super::output::{one_line, print};
use super::settings::{confirm_account, load};
use super::{CommandError, CommandResult, eprint_lines};
use crate::actor::Actor;
use crate::app::{App, stripe_of};
use crate::clock::{Clock, Deadline};
use crate::config::Need;
use crate::database::ServerAddress;
use crate::private_file::{folder_of, own_user};
use crate::stripe::StripeErrorKind;
use crate::usecase::operator::install::CONFIGURATION;
use crate::usecase::operator::stripe_setup::{self, Setup, SetupContext};
use crate::usecase::users::{self, UserPatch, operators};

/// How long Stripe may take to say whose key it is.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where the service has its database.
const SERVICE_DATABASE: &str = "/var/lib/till/till.db";

/// Ask for what the first start needs, set Stripe up, and write the environment file
///
/// Asks for Stripe's key, the public address, the reverse proxy, the shop's name, an operator and backups. An answer that is
/// there already is offered again, so it may be run as often as you like. Each answer can be given as a flag; with --yes nothing
/// is asked, and what has no flag keeps its value or takes the default. Lines of the file that it does not set stay as they are.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  till setup\n  till setup --yes --stripe-key-file key --base-url https://pay.example.com --operator olga"
)]
pub(super) struct SetupCommand {
    /// The environment file to write (default: /etc/till/till.env for root, else ./till.env)
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Stripe's secret key. Others on this machine may see a command's arguments: --stripe-key-file keeps it from them
    #[arg(long, value_name = "KEY", conflicts_with = "stripe_key_file")]
    stripe_key: Option<String>,
    /// A file with Stripe's secret key; - is standard input
    #[arg(long, value_name = "FILE")]
    stripe_key_file: Option<PathBuf>,
    /// The public origin, such as https://pay.example.com
    #[arg(long, value_name = "ORIGIN")]
    base_url: Option<String>,
    /// Networks of the reverse proxy, separated by commas, or none
    #[arg(long, value_name = "NETWORKS")]
    proxy: Option<String>,
    /// Path of the SQLite file
    #[arg(long, value_name = "FILE")]
    database: Option<String>,
    /// The shop's name, as pages and letters show it
    #[arg(long, value_name = "NAME")]
    shop: Option<String>,
    /// Whether to make products, prices, the portal and the webhook endpoint at Stripe: yes or no
    #[arg(long, value_name = "ANSWER")]
    at_stripe: Option<String>,
    /// The id of a user who may open the operator's pages
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
    /// Whether a backup is made every day, by systemd: yes or no
    #[arg(long, value_name = "ANSWER")]
    backups: Option<String>,
    /// Ask nothing: take the default wherever no flag answers
    #[arg(long)]
    yes: bool,
}

impl SetupCommand {
    pub(super) fn run(&self) -> CommandResult {
        self.refuse_other_words()?;
        let path = self.file.clone().unwrap_or_else(default_file);
        let interview = Interview { is_silent: self.yes };
        let mut draft = Draft::read(&path)?;
        eprint_lines(
            "setup",
            &[format!("writes {}; nothing is written before the questions are answered", path.display())],
        );

        self.ask_key(&interview, &mut draft)?;
        self.ask_addresses(&interview, &mut draft, &path)?;
        let shop = self.ask_shop(&interview, &draft)?;
        let operator = self.ask_operator(&interview)?;
        let obstacle = backups::obstacle(&draft.config().map_err(|fault| CommandError::Usage(vec![fault]))?.database);
        let has_backups = self.ask_backups(&interview, obstacle.as_ref())?;
        draft.refuse_database_at(&path)?;
        if let Some(shop) = shop {
            let catalog = files::write_catalog(&path, &shop)?;
            draft.set("SPRITE_CATALOG", &catalog.to_string_lossy())?;
        }
        // Kept before Stripe is asked for a secret that it says only once.
        draft.write(&path)?;
        self.set_up_stripe(&interview, &mut draft, &path)?;
        if let Some(id) = &operator {
            make_operator(&draft, id)?;
        }
        let unmade = if has_backups { obstacle.map_or_else(backups::enable, Err) } else { Ok(()) };
        if has_backups && unmade.is_ok() {
            print("A backup is made every day.\n")?;
        }
        print(&next_steps(&path, operator.as_deref()))?;
        unmade
            .map_err(|why| CommandError::Failed(format!("no daily backup was set up, and everything else was: {why}")))
    }

    fn ask_key(&self, interview: &Interview, draft: &mut Draft) -> CommandResult {
        const NAME: &str = "SPRITE_STRIPE_SECRET_KEY";
        let from_file = self.stripe_key_file.as_deref().map(read_key).transpose()?;
        let known = draft.value(NAME);
        let question = Question {
            flag: "--stripe-key",
            text: "Stripe's secret key, from its dashboard under Developers, API keys. It begins with sk_test_, sk_live_, rk_test_ or\n\
                   rk_live_; start with a test key.",
            given: from_file.as_deref().or(self.stripe_key.as_deref()),
            default: known.as_deref(),
            is_secret: true,
        };
        let key = interview.ask(&question, |key| {
            draft.check(NAME, key)?;
            let config = draft.config_with(NAME, key)?;
            let stripe = stripe_of(&config).map_err(|fault| fault.to_string())?;
            let said = match stripe.account(Deadline::after(PATIENCE)) {
                Ok(account) => match account.id {
                    Some(id) => format!("the key is of Stripe's account {}", one_line(&id)),
                    None => "the key is good, and may not read its account".to_owned(),
                },
                // The key may be right all the same: the set-up below says so, or fails.
                Err(error) if error.kind == StripeErrorKind::Unavailable => error.to_operator(),
                Err(error) => return Err(error.to_operator()),
            };
            eprint_lines("stripe", &[said]);
            Ok(())
        })?;
        draft.set(NAME, &key)
    }

    fn ask_addresses(&self, interview: &Interview, draft: &mut Draft, file: &Path) -> CommandResult {
        let database = default_database(file);
        for (name, flag, given, default, text) in [
            (
                "SPRITE_BASE_URL",
                "--base-url",
                &self.base_url,
                None,
                "The public address: what buyers' browsers and Stripe see, such as https://pay.example.com.",
            ),
            (
                "SPRITE_TRUSTED_PROXIES",
                "--proxy",
                &self.proxy,
                Some("127.0.0.1/32,::1/128"),
                "Networks of the reverse proxy in front of till, whose X-Forwarded-For counts. The default is a proxy on this machine.",
            ),
            (
                "SPRITE_DATABASE",
                "--database",
                &self.database,
                Some(database.as_str()),
                "Where the books are kept: one file on a disk of this machine, or postgres://… of a server.",
            ),
        ] {
            let known = draft.value(name);
            let default = known.as_deref().or(default);
            let question = Question { flag, text, given: given.as_deref(), default, is_secret: false };
            let answer = interview.ask(&question, |answer| {
                draft.check(name, answer)?;
                let is_file = name == "SPRITE_DATABASE" && ServerAddress::parse(answer).is_none();
                if is_file { has_folder(Path::new(answer)) } else { Ok(()) }
            })?;
            draft.set(name, &answer)?;
        }
        // Without a proxy, serve itself is what the public address leads to.
        let named = draft.config().map_err(|fault| CommandError::Usage(vec![fault]))?.base_url.loopback_address();
        match named {
            Some(named) if draft.value("SPRITE_LISTEN").is_none() => draft.set("SPRITE_LISTEN", &named.to_string()),
            _ => Ok(()),
        }
    }

    /// The shop's name, if a catalogue is to be written for it.
    fn ask_shop(&self, interview: &Interview, draft: &Draft) -> CommandResult<Option<String>> {
        if let Some(catalog) = draft.value("SPRITE_CATALOG") {
            return match self.shop {
                None => Ok(None),
                Some(_) => Err(CommandError::Usage(vec![format!(
                    "--shop: the shop's name stands in {}, under [shop]: change it there",
                    one_line(&catalog)
                )])),
            };
        }
        let question = Question {
            flag: "--shop",
            text: "The shop's name. It is written into a catalogue beside the environment file, with the plans and packs that are built in:\n\
                   change them there.",
            given: self.shop.as_deref(),
            default: Some(""),
            is_secret: false,
        };
        let name = interview.ask(&question, |name| match name.chars().count() {
            0..=100 => Ok(()),
            _ => Err("at most 100 characters were expected".to_owned()),
        })?;
        Ok(Some(name).filter(|name| !name.is_empty()))
    }

    fn ask_operator(&self, interview: &Interview) -> CommandResult<Option<String>> {
        let question = Question {
            flag: "--operator",
            text: "Who may open the operator's pages: the id of a user, who is added if there is none of that id.",
            given: self.operator.as_deref(),
            default: Some(""),
            is_secret: false,
        };
        let id = interview.ask(&question, |id| match id {
            "" => Ok(()),
            id => users::user_id(id).map(drop).map_err(|error| super::output::detail_of(&error)),
        })?;
        Ok(Some(id).filter(|id| !id.is_empty()))
    }

    /// Makes at Stripe what is missing there, and keeps what is to be configured for it.
    fn set_up_stripe(&self, interview: &Interview, draft: &mut Draft, path: &Path) -> CommandResult {
        let (config, now) = (draft.config().map_err(|fault| CommandError::Usage(vec![fault]))?, Clock::System.now());
        let stripe = stripe_of(&config)?;
        let mut context = SetupContext::new(&config, &stripe, now);
        context.dry_run = true;
        let mut preview = Setup::default();
        stripe_setup::set_up(&context, &mut preview)?;
        eprint_lines("stripe", &preview.steps);
        let question = Question {
            flag: "--at-stripe",
            text: "Set Stripe up like this? (yes or no)",
            given: self.at_stripe.as_deref(),
            default: Some("yes"),
            is_secret: false,
        };
        if !interview.confirm(&question)? {
            return Ok(());
        }
        context.dry_run = false;
        let mut made = Setup::default();
        let done = stripe_setup::set_up(&context, &mut made);
        let kept = made.variables.iter().try_for_each(|(name, value)| draft.set(name, value));
        if let Err(unwritten) = kept.and_then(|()| draft.write(path)) {
            // The signing secret is said only once, so it must not be lost.
            let lines: String = made.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            print(&format!("# Put these lines into the environment file:\n{lines}"))?;
            return Err(unwritten);
        }
        Ok(done?)
    }

    /// Whether systemd is to make backups. Where it cannot, nobody is asked, and a flag that wants it fails once all else is done.
    fn ask_backups(&self, interview: &Interview, obstacle: Option<&String>) -> CommandResult<bool> {
        if obstacle.is_some() && self.backups.is_none() {
            return Ok(false);
        }
        interview.confirm(&Question {
            flag: "--backups",
            text: "Back the books up every day, by systemd's timer? (yes or no)",
            given: self.backups.as_deref(),
            default: Some("yes"),
            is_secret: false,
        })
    }

    /// Refuses, before anything is written, what the questions after that would refuse.
    fn refuse_other_words(&self) -> CommandResult {
        for (flag, given) in [("--at-stripe", &self.at_stripe), ("--backups", &self.backups)] {
            let known = given.as_deref().map_or(Ok(()), is_yes_or_no);
            known.map_err(|why| CommandError::Usage(vec![format!("{flag}: {why}")]))?;
        }
        Ok(())
    }
}

/// Adds the user, if need be, and makes them an operator.
fn make_operator(draft: &Draft, id: &str) -> CommandResult {
    let loaded = load(&draft.sources(), Need::StripeKey)?;
    let app = App::open(loaded.config, Clock::System)?.acting_for(Actor::command_line());
    confirm_account(&app)?;
    users::put(&app, id, UserPatch::default())?;
    operators::add(&app, id)?;
    Ok(())
}

fn default_file() -> PathBuf {
    if own_user() == Some(0) { service_file() } else { PathBuf::from("till.env") }
}

/// Where the service reads its variables.
fn service_file() -> PathBuf {
    Path::new("/").join(CONFIGURATION)
}

/// Where the service has its database, if the file is the service's; else beside the file.
fn default_database(file: &Path) -> String {
    if file == service_file() {
        return SERVICE_DATABASE.to_owned();
    }
    let beside = folder_of(file).join("till.db");
    std::path::absolute(&beside).unwrap_or(beside).to_string_lossy().into_owned()
}

fn has_folder(database: &Path) -> Result<(), String> {
    let folder = folder_of(database);
    match folder.is_dir() {
        true => Ok(()),
        false => Err(format!(
            "there is no folder {}: make it, or run till install, which makes the service's",
            folder.display()
        )),
    }
}

fn read_key(path: &Path) -> CommandResult<String> {
    let read = match path.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(path),
    };
    read.map_err(|cause| CommandError::Failed(format!("--stripe-key-file: {} cannot be read: {cause}", path.display())))
}

fn next_steps(path: &Path, operator: Option<&str>) -> String {
    let file = path.display();
    let start = match path == service_file() {
        true => "  systemctl enable --now till.socket till.service\n",
        false => "  till serve\n",
    };
    let sign_in =
        operator.map(|id| format!("  till user sign-in {}        # a link to the operator's pages\n", one_line(id)));
    let credentials = folder_of(path).join("credentials");
    let more = match credentials.is_dir() {
        true => format!("CREDENTIALS_DIRECTORY={}; ", credentials.display()),
        false => String::new(),
    };
    format!(
        "{file} is written. Next, in a shell with these variables (set -a; . {file}; {more}set +a):\n{start}  till check\n{}",
        sign_in.unwrap_or_default()
    )
}
