//! Standard output: one JSON document or text that lines up. A reader that leaves early (`till … | head`) ends the
//! command quietly; any other failure to write is told. Nothing else in `till` writes there.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use super::{Done, Failure};

/// Prints text as it is.
pub(super) fn print(text: &str) -> Done {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(unwritten)
}

/// Prints one JSON document on a line.
pub(super) fn print_json(document: &impl Serialize) -> Done {
    let text = serde_json::to_string(document)
        .map_err(|cause| Failure::Failed(format!("the answer cannot be written as JSON: {cause}")))?;
    print(&format!("{text}\n"))
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

/// What a cell shows where there is nothing.
pub(super) fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}

/// Text from outside as a terminal may see it: no control characters, so no line breaks and no escape sequences.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Standard output for what is written piece by piece; remembers whether the reader has left.
pub(super) struct Stream {
    stdout: io::StdoutLock<'static>,
    reader_left: bool,
}

impl Stream {
    pub(super) fn open() -> Stream {
        Stream { stdout: io::stdout().lock(), reader_left: false }
    }

    /// How a command ends whose writing ended in `failure`.
    pub(super) fn judge(&self, failure: Failure) -> Failure {
        if self.reader_left { Failure::ReaderLeft } else { failure }
    }

    fn note<T>(&mut self, outcome: io::Result<T>) -> io::Result<T> {
        self.reader_left |= outcome.as_ref().is_err_and(|cause| cause.kind() == ErrorKind::BrokenPipe);
        outcome
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self.stdout.write(bytes);
        self.note(outcome)
    }

    fn flush(&mut self) -> io::Result<()> {
        let outcome = self.stdout.flush();
        self.note(outcome)
    }
}

fn unwritten(cause: io::Error) -> Failure {
    if cause.kind() == ErrorKind::BrokenPipe {
        Failure::ReaderLeft
    } else {
        Failure::Failed(format!("cannot write to standard output: {cause}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_numbers_to_the_right_and_control_characters_are_not_passed_on() {
        let rows = [["alice".into(), "7".into(), "a\u{1b}[2J".into()], ["bo".into(), "-12".into(), "-".into()]];
        let expected = "USER   UNITS  NOTE\nalice      7  a\u{fffd}[2J\nbo       -12  -\n";
        assert_eq!(table(["USER", "UNITS", "NOTE"], &rows), expected);
        assert_eq!(table(["USER", "UNITS"], &[]), "USER  UNITS\n");
    }
}
