//! Text in files for spreadsheets.

/// Text that a spreadsheet would take for a formula, with an apostrophe before it, which spreadsheets do not show (OWASP, "CSV
/// Injection"). Some spreadsheets look past what cannot be seen at its beginning, and read full-width signs as the others. Text
/// that begins with an apostrophe gets one too, so that taking one away gives the text back.
pub fn disarmed(text: &str) -> String {
    let seen = text.trim_start_matches(is_unseen);
    let is_formula = seen.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if is_formula || text.starts_with(['\t', '\r', '\n', '\'']) { format!("'{text}") } else { text.to_owned() }
}

/// The text that [`disarmed`] wrote. An apostrophe that it did not put there stays.
pub fn rearmed(written: &str) -> &str {
    written.strip_prefix('\'').filter(|text| disarmed(text) == written).unwrap_or(written)
}

/// White space, control characters, and characters that only format what follows (Unicode Standard, section 23.2).
fn is_unseen(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{disarmed, rearmed};

    #[test]
    fn no_text_is_a_formula() {
        for (text, written) in [
            ("", ""),
            ("a fox", "a fox"),
            ("1-2", "1-2"),
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("@SUM(1)", "'@SUM(1)"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("\t=1", "'\t=1"),
            ("'quoted", "''quoted"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2", "'-2"),
            ("\tx", "'\tx"),
            ("a=b", "a=b"),
            (" =1+1", "' =1+1"),
            ("\u{a0}\u{3000}\u{feff}@x", "'\u{a0}\u{3000}\u{feff}@x"),
            ("\u{200b}\u{202e}-1", "'\u{200b}\u{202e}-1"),
            ("＝1+1", "'＝1+1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            (" ＠x", "' ＠x"),
            (" a fox", " a fox"),
            ("  ", "  "),
        ] {
            assert_eq!((disarmed(text).as_str(), rearmed(written)), (written, text));
        }
        // Of a file that another program wrote.
        for text in ["'t Hooft", "'", "=1", "-1"] {
            assert_eq!(rearmed(text), text);
        }
    }
}
