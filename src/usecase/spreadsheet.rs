//! Text in files for spreadsheets.

/// Text that a spreadsheet would take for a formula, with an apostrophe before it, which spreadsheets do not show (OWASP, "CSV
/// Injection"). Text that begins with an apostrophe gets one too, so that taking one away gives the text back.
pub fn disarmed(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::disarmed;

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
        ] {
            assert_eq!(disarmed(text), written);
        }
    }
}
