//! Which language a reader wants, as their browser says it (RFC 9110, section 12.5.4).

use super::Language;

/// A header may be long; more languages than these do not count.
const RANGES_LIMIT: usize = 20;

impl Language {
    /// The language of ours that the header `Accept-Language` prefers; the first of ours where it names none of them.
    pub fn of_accept(header: &str) -> Language {
        let ranges = header.split(',').take(RANGES_LIMIT).filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let language = parts.next()?;
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths)?;
            let language = if language == "*" { Language::default() } else { Language::of_tag(language)? };
            (quality > 0).then_some((language, quality))
        });
        // Of several with the same quality, the first.
        let best = ranges.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(language, _)| language).unwrap_or_default()
    }
}

/// `0.8` is 800 (RFC 9110, section 12.4.2).
fn thousandths(quality: &str) -> Option<u32> {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: u32 = if is_number { format!("{fraction:0<3}").parse().ok()? } else { return None };
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_decides_by_quality_and_then_by_order() {
        for (header, expected) in [
            ("", Language::En),
            ("de", Language::De),
            ("de-AT,de;q=0.9,en;q=0.8", Language::De),
            ("fr-FR, en;q=0.7, de;q=0.9", Language::De),
            ("en-US,en;q=0.5", Language::En),
            ("fr", Language::En),
            ("*", Language::En),
            ("de;q=0", Language::En),
            ("en;q=0.1, *;q=0.05, de;q=0.101", Language::De),
            ("de;q=2", Language::En),
            ("de;q=0.9999", Language::En),
            ("de, en", Language::De),
            (";;,,q=", Language::En),
        ] {
            assert_eq!(Language::of_accept(header), expected, "{header:?}");
        }
    }
}
