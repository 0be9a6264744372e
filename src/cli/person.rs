//! What `till user` does about a person rather than an account's units: a password, and all that is stored about them.

use std::io::{BufRead, IsTerminal, Read};

use zeroize::Zeroizing;

use super::output::{one_line, print};
use super::{CommandError, CommandResult, eprint_lines};
use crate::app::App;
use crate::clock::rfc3339;
use crate::email::Email;
use crate::usecase::users::{export, password, welcome};

/// The most bytes of standard input that are read for a password.
const PASSWORD_BYTES: u64 = 2048;

/// Sets the password on standard input, or one that is made.
pub(super) fn set_password(app: &App, id: &str) -> CommandResult {
    if let Some(given) = given_password()? {
        password::set(app, id, &given, None)?;
        return print(&format!("the password of {} is set\n", one_line(id)));
    }
    let made = Zeroizing::new(password::made()?);
    password::set(app, id, &made, None)?;
    print(&format!("{}\n", made.as_str()))?;
    // To standard error, so that PASSWORD=$(till user password …) is the password alone.
    let advice = "hand it over now: it is not shown again";
    eprint_lines("note", &[format!("{advice}. {} is signed out everywhere", one_line(id))]);
    Ok(())
}

/// The first line of standard input, if something is piped there.
fn given_password() -> CommandResult<Option<Zeroizing<String>>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    let mut line = Zeroizing::new(String::new());
    let read = stdin.lock().take(PASSWORD_BYTES).read_line(&mut line);
    read.map_err(|cause| CommandError::Failed(format!("standard input cannot be read: {cause}")))?;
    let line = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    Ok(if line.is_empty() { None } else { Some(line) })
}

/// Prints an invitation's link.
pub(super) fn invite(app: &App, address: Option<&Email>, is_sent: bool) -> CommandResult {
    let (url, until) = welcome::invite(app, address, is_sent)?;
    print(&format!("{url}\n"))?;
    // To standard error, so that LINK=$(till user invite) is the link alone.
    eprint_lines("note", &[format!("it makes one account, until {}", rfc3339(until))]);
    Ok(())
}

/// Prints everything that is stored about the user.
pub(super) fn export(app: &App, id: &str) -> CommandResult {
    let mut text = Vec::new();
    export::write(app, id, None, &mut text)?;
    print(&String::from_utf8_lossy(&text))
}
