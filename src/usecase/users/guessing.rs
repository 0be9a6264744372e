//! Which passwords are guessed first: those that many people have, and those of a shop's own words, also with the letters, digits
//! and signs that people put in their place or behind them.

use std::collections::BTreeSet;

/// The commonest passwords of eight or more characters, as breaches showed them, in lower case, one a line. OWASP ASVS 5.0, 6.2.4,
/// wants 3,000 of them at least.
const COMMON: &str = include_str!("common_passwords.txt");
/// Fewer letters are no word: what was put behind them is most of the password.
const WORD_LEAST: usize = 5;

/// Whether it is one character again and again.
pub(super) fn is_one_character(password: &str) -> bool {
    let lower = password.to_lowercase();
    let mut characters = lower.chars();
    let first = characters.next();
    characters.all(|character| Some(character) == first)
}

/// Whether many people have it, or it is such a one with other digits and signs: `P@ssword1` for `password`.
pub(super) fn is_common(password: &str) -> bool {
    let lower = password.to_lowercase();
    let forms = forms_of(&lower);
    COMMON.lines().any(|common| common == lower || forms_of(common).iter().any(|form| forms.contains(form)))
}

/// Whether it has nothing but these words, digits and signs.
pub(super) fn is_made_of(password: &str, words: &[String]) -> bool {
    let lower = password.to_lowercase();
    let is_word = |text: &str| !text.is_empty() && is_joined_of(text, words);
    is_word(&letters_of(&lower)) || forms_of(&lower).iter().any(|form| is_word(&letters_of(form)))
}

/// The words of texts, in lower case: each whole, and its parts of two or more letters.
pub(super) fn words_of<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut words = BTreeSet::new();
    for text in texts {
        let lower = text.to_lowercase();
        words.insert(letters_of(&lower));
        let parts = lower.split(|letter: char| !letter.is_alphabetic());
        words.extend(parts.filter(|part| part.chars().count() >= 2).map(str::to_owned));
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

/// Without what is put behind a word, and with letters for the digits and signs that stand for them: `1` for `i` and `l`.
fn forms_of(lower: &str) -> Vec<String> {
    let word = lower.trim_end_matches(|letter: char| !letter.is_alphabetic());
    let read = |one: char| word.chars().map(|letter| letter_for(letter, one)).collect::<String>();
    ['i', 'l'].map(read).into_iter().filter(|form| letters_of(form).chars().count() >= WORD_LEAST).collect()
}

fn letter_for(sign: char, one: char) -> char {
    match sign {
        '0' => 'o',
        '1' => one,
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        _ => sign,
    }
}

fn letters_of(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphabetic()).collect()
}

/// Whether the text is some of the words, one behind the other.
fn is_joined_of(text: &str, words: &[String]) -> bool {
    let mut ends = BTreeSet::from([0]);
    while let Some(start) = ends.pop_first() {
        let rest = text.get(start..).unwrap_or_default();
        if rest.is_empty() {
            return true;
        }
        ends.extend(words.iter().filter(|word| rest.starts_with(word.as_str())).map(|word| start + word.len()));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_password_is_one_with_other_digits_and_signs_too() {
        for common in ["password", "P@ssword1", "Welcome1!", "trustno1!", "p4$$w0rd2026", "Passw0rd!!"] {
            assert!(is_common(common), "{common}");
        }
        for other in ["four words of no use", "p-8317-2290-6655", "correct horse battery staple"] {
            assert!(!is_common(other), "{other}");
        }
    }

    #[test]
    fn a_shops_own_words_are_none_however_they_are_joined() {
        let words =
            words_of(["Pixel House", "pictures", "till", "starter", "topup_100", "ada@example.org"].into_iter());
        for ours in
            ["picturespictures", "till-pictures", "starter123", "topup100", "PixelHouse!", "st4rter-p1xel", "ada.2026"]
        {
            assert!(is_made_of(ours, &words), "{ours}");
        }
        for other in ["pictures of zebras", "four words of no use", "12345678", "tillandsia-1"] {
            assert!(!is_made_of(other, &words), "{other}");
        }
        assert!(is_one_character("aaAAaaaa") && !is_one_character("aaaaaaab"));
    }

    #[test]
    fn the_list_of_common_passwords_is_in_lower_case_and_has_none_that_is_too_short() {
        let common: Vec<&str> = COMMON.lines().collect();
        assert!(common.len() >= 3_000, "{}", common.len());
        for password in common {
            assert!(password.chars().count() >= 8 && password == password.to_lowercase(), "{password}");
        }
    }
}
