//! How far a long command has come, on standard error: one line that is written over on a terminal, and elsewhere a line
//! for each thing that is done. A screen that cannot be written to is no reason to stop.

use std::io::{IsTerminal, Stderr, Write, stderr};

/// The bar's width in characters.
const WIDTH: i64 = 20;

/// Standard error, while a command is under way.
pub(super) struct Screen {
    out: Option<Stderr>,
    is_terminal: bool,
    is_written_on: bool,
}

impl Screen {
    /// The screen; a quiet one shows nothing.
    pub(super) fn open(is_quiet: bool) -> Screen {
        let out = stderr();
        let is_terminal = out.is_terminal();
        Screen { out: Some(out).filter(|_| !is_quiet), is_terminal, is_written_on: false }
    }

    /// Says how far it is; on a terminal only.
    pub(super) fn show(&mut self, line: &str) {
        if let Some(out) = self.out.as_mut().filter(|_| self.is_terminal) {
            self.is_written_on = true;
            let _unseen = write!(out, "\r\u{1b}[K{line}").and_then(|()| out.flush());
        }
    }

    /// Says that something is done; this line stays.
    pub(super) fn settle(&mut self, line: &str) {
        self.wipe();
        if let Some(out) = &mut self.out {
            let _unseen = writeln!(out, "{line}");
        }
    }

    /// Takes away what was shown last, before the command prints or fails.
    fn wipe(&mut self) {
        if let Some(out) = self.out.as_mut().filter(|_| self.is_written_on) {
            self.is_written_on = false;
            let _unseen = write!(out, "\r\u{1b}[K").and_then(|()| out.flush());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// A bar that is so full, in percent; where that is not known, one that moves with each step.
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
