//! Standard output: one JSON document, or text in columns. A reader that closes the pipe early (`till … | head`) ends the
//! command quietly; any other failure to write is reported. Nothing else in `till` writes there.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use super::{CommandError, CommandResult};
use crate::error::Error;
use crate::plain_text::is_hidden;

/// Prints text as it is. A reader that is gone changes nothing of what the command still does and of its exit status.
pub(super) fn print(text: &str) -> CommandResult {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            Err(CommandError::Failed(format!("cannot write to standard output: {cause}")))
        }
        _ => Ok(()),
    }
}

/// Prints one JSON document on a line.
pub(super) fn print_json(document: &impl Serialize) -> CommandResult {
    let text = serde_json::to_string(document)
        .map_err(|cause| CommandError::Failed(format!("the answer cannot be written as JSON: {cause}")))?;
    print(&format!("{}\n", escaped(&text)))
}

/// JSON without characters that reorder a line or that nobody sees.
pub(super) fn escaped(json: &str) -> String {
    // These occur inside strings only, where an escape means the same.
    let escaped = |c: char| match is_hidden(c) && !c.is_control() {
        true => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>(),
        false => c.to_string(),
    };
    json.chars().map(escaped).collect()
}

/// Rows under headings. Columns of numbers are aligned to the right.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| one_line(cell))).collect();
    let number = |text: &str| text == "-" || text.parse::<i64>().is_ok();
    let columns: [(usize, bool); N] = std::array::from_fn(|i| {
        let cells = rows.iter().map(|row| row[i].as_str());
        let width = cells.clone().chain([headings[i]]).map(|cell| cell.chars().count()).max().unwrap_or(0);
        (width, !rows.is_empty() && cells.clone().all(number))
    });
    let mut text = String::new();
    let mut add = |cells: [&str; N]| {
        let mut line = String::new();
        for (cell, (width, right)) in cells.into_iter().zip(columns) {
            line.push_str(&if right { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    add(headings);
    for row in &rows {
        add(row.each_ref().map(String::as_str));
    }
    text
}

/// One fact per line, behind its name.
pub(super) fn facts(rows: &[(&str, String)]) -> String {
    rows.iter().map(|(name, value)| format!("{name:<12} {}\n", one_line(value))).collect()
}

/// Why an argument is refused, as the sentence after "invalid value".
pub(super) fn detail_of(error: &Error) -> String {
    match error {
        Error::Refused(refused) => refused.detail(),
        Error::Fault(fault) => fault.to_string(),
    }
}

/// `once`, `3 times`.
pub(super) fn times(count: i64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

pub(super) fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}

/// Text from outside, safe for a terminal: no control characters, so no line breaks and no escape sequences, and none that
/// change the order in which the rest of the line is shown.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// The same for text of ours that may have several lines and quote text from outside.
pub(super) fn safe_lines(text: &str) -> String {
    text.split('\n').map(one_line).collect::<Vec<_>>().join("\n")
}

/// Standard output for long texts; remembers whether the reader closed it.
pub(super) struct Stream {
    stdout: io::StdoutLock<'static>,
    is_closed: bool,
}

impl Stream {
    pub(super) fn open() -> Stream {
        Stream { stdout: io::stdout().lock(), is_closed: false }
    }

    /// The command's error after writing here failed with `error`.
    pub(super) fn error(&self, error: CommandError) -> CommandError {
        if self.is_closed { CommandError::OutputClosed } else { error }
    }

    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.is_closed |= result.as_ref().is_err_and(|cause| cause.kind() == ErrorKind::BrokenPipe);
        result
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.stdout.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.stdout.flush();
        self.note(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_numbers_to_the_right_and_control_characters_are_not_passed_on() {
        assert_eq!(one_line("a\u{202e}b\u{2066}c\u{200f}\u{2028}d"), "a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}d");
        assert_eq!(one_line("grüße 你好 שלום"), "grüße 你好 שלום", "languages are left alone");
        let rows = [["alice".into(), "7".into(), "a\u{1b}[2J".into()], ["bo".into(), "-12".into(), "-".into()]];
        let expected = "USER   UNITS  NOTE\nalice      7  a\u{fffd}[2J\nbo       -12  -\n";
        assert_eq!(table(["USER", "UNITS", "NOTE"], &rows), expected);
        assert_eq!(table(["USER", "UNITS"], &[]), "USER  UNITS\n");
    }
}
