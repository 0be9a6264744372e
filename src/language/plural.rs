//! Which form of a message a count takes (CLDR, "Language Plural Rules"), for whole numbers.

/// The forms that CLDR knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "which of them are used depends on the languages that there are")]
pub(super) enum PluralForm {
    Zero,
    One,
    Two,
    Few,
    Many,
    Other,
}

/// The rule of a language, as the head of its file names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "which of them are used depends on the languages that there are")]
pub(super) enum PluralRule {
    /// `none`: Chinese, Japanese, Korean, Thai, Vietnamese.
    None,
    /// `one`: English, German, Dutch, Spanish, Italian, the Nordic languages.
    One,
    /// `zero_one`: French, Brazilian Portuguese.
    ZeroOne,
    /// `czech`: Czech, Slovak.
    Czech,
    /// `polish`.
    Polish,
    /// `russian`: Russian, Ukrainian, Serbian, Croatian.
    Russian,
    /// `arabic`.
    Arabic,
    /// `hebrew`.
    Hebrew,
}

impl PluralRule {
    pub(super) fn form(self, count: i64) -> PluralForm {
        use PluralForm::{Few, Many, One, Other, Two, Zero};
        let count = count.unsigned_abs();
        let (last, last_two) = (count % 10, count % 100);
        let is_few = (2..=4).contains(&last) && !(12..=14).contains(&last_two);
        match (self, count) {
            (PluralRule::None, _) => Other,
            (PluralRule::ZeroOne, 0) => One,
            (PluralRule::Russian, _) if last == 1 && last_two != 11 => One,
            (PluralRule::Arabic, 0) => Zero,
            (_, 1) => One,
            (PluralRule::Arabic | PluralRule::Hebrew, 2) => Two,
            (PluralRule::Arabic, _) if (3..=10).contains(&last_two) => Few,
            (PluralRule::Arabic, _) if last_two >= 11 => Many,
            (PluralRule::Czech, 2..=4) => Few,
            (PluralRule::Polish | PluralRule::Russian, _) if is_few => Few,
            (PluralRule::Polish | PluralRule::Russian, _) => Many,
            _ => Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PluralForm::{Few, Many, One, Other, Two, Zero};
    use super::*;

    #[test]
    fn each_rule_is_that_of_its_languages() {
        let rows: [(PluralRule, &[(i64, PluralForm)]); 8] = [
            (PluralRule::None, &[(0, Other), (1, Other), (5, Other)]),
            (PluralRule::One, &[(0, Other), (1, One), (-1, One), (2, Other), (11, Other)]),
            (PluralRule::ZeroOne, &[(0, One), (1, One), (2, Other)]),
            (PluralRule::Czech, &[(0, Other), (1, One), (2, Few), (4, Few), (5, Other)]),
            (PluralRule::Polish, &[(0, Many), (1, One), (2, Few), (12, Many), (22, Few), (25, Many)]),
            (PluralRule::Russian, &[(0, Many), (1, One), (21, One), (11, Many), (3, Few), (13, Many), (23, Few)]),
            (PluralRule::Arabic, &[(0, Zero), (1, One), (2, Two), (3, Few), (11, Many), (100, Other), (103, Few)]),
            (PluralRule::Hebrew, &[(0, Other), (1, One), (2, Two), (3, Other)]),
        ];
        for (rule, counts) in rows {
            for (count, form) in counts {
                assert_eq!(rule.form(*count), *form, "{rule:?} of {count}");
            }
        }
    }
}
