//! Questions on the terminal: each has a flag that answers it, most have a default, and an answer that is refused is asked for
//! again. Questions go to standard error, answers come from standard input, where they may also be piped.

use std::io::{BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::cli::{CommandError, CommandResult, eprint_lines};

/// The longest line that is read, in bytes.
const LINE_BYTES: u64 = 4096;

/// Something that a person is asked.
pub(super) struct Question<'a> {
    /// The flag that answers it.
    pub(super) flag: &'a str,
    /// What is asked for, and what it is good for.
    pub(super) text: &'a str,
    /// What the flag said.
    pub(super) given: Option<&'a str>,
    /// What an empty answer means. `None`: there must be an answer.
    pub(super) default: Option<&'a str>,
    /// Not shown while it is typed, and a default neither.
    pub(super) is_secret: bool,
}

/// The conversation.
pub(super) struct Interview {
    /// Defaults are taken, and nothing is asked.
    pub(super) is_silent: bool,
}

impl Interview {
    /// The answer, once `check` takes it; its error says what was expected.
    pub(super) fn ask(
        &self,
        question: &Question<'_>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> CommandResult<String> {
        if let Some(given) = question.given {
            let given = given.trim();
            return check(given)
                .map(|()| given.to_owned())
                .map_err(|why| CommandError::Usage(vec![format!("{}: {why}", question.flag)]));
        }
        loop {
            let typed = if self.is_silent { None } else { self.read(question)? };
            let answer = match typed.as_deref().map(|line| line.trim()) {
                Some(answer) if !answer.is_empty() => answer.to_owned(),
                Some(_) | None => match question.default {
                    Some(default) => default.to_owned(),
                    None if typed.is_none() => return Err(unanswered(question)),
                    None => continue,
                },
            };
            match check(&answer) {
                Ok(()) => return Ok(answer),
                Err(why) if typed.is_some() => eprint_lines("error", &[why]),
                Err(why) => return Err(CommandError::Usage(vec![format!("{}: {why}", question.flag)])),
            }
        }
    }

    /// Yes or no.
    pub(super) fn confirm(&self, question: &Question<'_>) -> CommandResult<bool> {
        Ok(self.ask(question, is_yes_or_no)?.starts_with('y'))
    }

    /// The next line; `None` at the end of the input.
    fn read(&self, question: &Question<'_>) -> CommandResult<Option<Zeroizing<String>>> {
        let default = match question.default {
            Some(_) if question.is_secret => " [as it is]".to_owned(),
            Some("") => " [none]".to_owned(),
            Some(default) => format!(" [{default}]"),
            None => String::new(),
        };
        let mut stderr = std::io::stderr().lock();
        let _unwritten =
            write!(stderr, "\n{}\n  {}{default}: ", question.text, question.flag).and_then(|()| stderr.flush());
        let stdin = std::io::stdin();
        let _hidden = (question.is_secret && stdin.is_terminal()).then(HiddenInput::begin);
        let mut line = Zeroizing::new(String::new());
        let read = std::io::Read::take(stdin.lock(), LINE_BYTES).read_line(&mut line);
        let read = read.map_err(|cause| CommandError::Failed(format!("standard input cannot be read: {cause}")))?;
        Ok((read > 0).then_some(line))
    }
}

/// Takes the answer to a question of [`Interview::confirm`].
pub(super) fn is_yes_or_no(answer: &str) -> Result<(), String> {
    match answer.trim() {
        "yes" | "y" | "no" | "n" => Ok(()),
        _ => Err("yes or no was expected".to_owned()),
    }
}

fn unanswered(question: &Question<'_>) -> CommandError {
    CommandError::Usage(vec![format!(
        "{} is not answered: give the flag, or run till setup on a terminal",
        question.flag
    )])
}

/// The terminal shows nothing of what is typed, until this is dropped.
struct HiddenInput(Option<Termios>);

impl HiddenInput {
    fn begin() -> HiddenInput {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(mut modes) = before.clone() {
            modes.local_modes.remove(LocalModes::ECHO);
            let _shown_then = tcsetattr(std::io::stdin(), OptionalActions::Flush, &modes);
        }
        HiddenInput(before)
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _left = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
            // The line break that was typed was not shown either.
            let _unwritten = writeln!(std::io::stderr());
        }
    }
}
