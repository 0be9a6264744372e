//! Characters that a line of text from outside may not have, because people do not see them: they make a name or an address
//! look like another. Forms, programs, files and providers are judged by the same rule.

/// Whether it is a control character, or one that nobody sees and that embeds, overrides or marks a direction, breaks a line or
/// hides in a word (Unicode Standard Annex 9, section 2; Unicode Technical Report 36, section 2.5). Joiners are none: emoji and
/// some scripts need them (Unicode Standard, section 23.2).
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// The same and all others that the rules of host names leave out (Unicode Technical Standard 46, section 4): joiners and
/// variation selectors. An address with one is another spelling of an address without.
pub fn is_left_out_of_hosts(letter: char) -> bool {
    is_hidden(letter)
        || matches!(letter,
            '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{e0080}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_hidden_and_what_scripts_and_emoji_need_is_not() {
        for hidden in
            "\n\u{0}\u{7f}\u{ad}\u{61c}\u{200b}\u{200f}\u{2028}\u{202e}\u{2060}\u{2066}\u{feff}\u{e0041}".chars()
        {
            assert!(is_hidden(hidden) && is_left_out_of_hosts(hidden), "{hidden:?}");
        }
        for seen in "Ada O’Neil عادة می‌خواهم 👩‍👧 ❤️ ü".chars() {
            assert!(!is_hidden(seen), "{seen:?}");
        }
        assert!("\u{200c}\u{200d}\u{fe0f}\u{180b}".chars().all(is_left_out_of_hosts));
        assert!(!"example-bücher例え".chars().any(is_left_out_of_hosts));
    }
}
