//! Progress of a long command, on standard error: on a terminal one line that is overwritten, elsewhere a line for each part
//! that is done. A failure to write there does not stop the command.

use std::io::{IsTerminal, Stderr, Write, stderr};

/// The bar's width in characters.
const WIDTH: i64 = 20;

/// Standard error while a command runs.
pub(super) struct Screen {
    out: Option<Stderr>,
    is_terminal: bool,
    is_written_on: bool,
}

impl Screen {
    /// A quiet screen shows nothing.
    pub(super) fn open(is_quiet: bool) -> Screen {
        let out = stderr();
        let is_terminal = out.is_terminal();
        Screen { out: Some(out).filter(|_| !is_quiet), is_terminal, is_written_on: false }
    }

    /// Shows progress, on a terminal only.
    pub(super) fn show(&mut self, line: &str) {
        if let Some(out) = self.out.as_mut().filter(|_| self.is_terminal) {
            self.is_written_on = true;
            let _unwritten = write!(out, "\r\u{1b}[K{line}").and_then(|()| out.flush());
        }
    }

    /// Writes a line that stays.
    pub(super) fn show_done(&mut self, line: &str) {
        self.clear();
        if let Some(out) = &mut self.out {
            let _unwritten = writeln!(out, "{line}");
        }
    }

    /// Removes the progress line, before the command prints or fails.
    fn clear(&mut self) {
        if let Some(out) = self.out.as_mut().filter(|_| self.is_written_on) {
            self.is_written_on = false;
            let _unwritten = write!(out, "\r\u{1b}[K").and_then(|()| out.flush());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A progress bar; one that moves with each step where the percentage is not known.
pub(super) fn bar(percent: Option<i64>, step: u64) -> String {
    let Some(percent) = percent else {
        let place = i64::try_from(step).unwrap_or(0).rem_euclid(WIDTH);
        let cells: String = (0..WIDTH).map(|cell| if cell == place { '#' } else { '.' }).collect();
        return format!("[{cells}]     ");
    };
    let full = percent.clamp(0, 100) * WIDTH / 100;
    let cells: String = (0..WIDTH).map(|cell| if cell < full { '#' } else { '.' }).collect();
    format!("[{cells}] {percent:>3}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_or_moves_and_keeps_its_width() {
        for (percent, step, expected) in [
            (Some(0), 0, "[....................]   0%"),
            (Some(9), 0, "[#...................]   9%"),
            (Some(50), 7, "[##########..........]  50%"),
            (Some(100), 0, "[####################] 100%"),
            (None, 0, "[#...................]     "),
            (None, 21, "[.#..................]     "),
        ] {
            assert_eq!(bar(percent, step), expected, "{percent:?} {step}");
        }
    }
}
