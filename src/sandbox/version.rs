//! API versions: which ones a request or a webhook endpoint may name. What each looks like is in `rendering`. Source:
//! Stripe, "API versioning" and its changelog.

use crate::sandbox::api_error::ApiError;

/// The first and the last day whose versions are rendered.
const RENDERED: (&str, &str) = ("2022-11-15", "2026-10-28");
/// The releases with a name, by their first day.
const RELEASES: [(&str, &str); 5] = [
    ("2024-09-30", "acacia"),
    ("2025-03-31", "basil"),
    ("2025-09-30", "clover"),
    ("2026-03-25", "dahlia"),
    ("2026-09-30", "endive"),
];

/// An API version that is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersion {
    text: String,
}

impl ApiVersion {
    /// Reads a version such as `2026-05-27.dahlia`. Refuses what is not rendered.
    pub fn read(text: &str) -> Result<ApiVersion, ApiError> {
        let (day, name) = text.split_once('.').map_or((text, None), |(day, name)| (day, Some(name)));
        let expected = RELEASES.iter().rev().find(|(first, _)| day >= *first).map(|(_, name)| *name);
        if is_day(day) && (RENDERED.0..=RENDERED.1).contains(&day) && name == expected {
            return Ok(ApiVersion { text: text.to_owned() });
        }
        let message = format!(
            "Invalid Stripe API version: {text}. (This is a stand-in for Stripe: it renders {} to {}, without previews.)",
            RENDERED.0, RENDERED.1
        );
        Err(ApiError::invalid(message).param("Stripe-Version"))
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is from before this day, `YYYY-MM-DD`.
    pub fn is_before(&self, day: &str) -> bool {
        self.text.as_str() < day
    }
}

fn is_day(text: &str) -> bool {
    let shape = "dddd-dd-dd".bytes();
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, kind)| match kind {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_are_rendered_are_read_and_no_others() {
        for (text, is_rendered) in [
            ("2022-11-15", true),
            ("2024-06-20", true),
            ("2025-02-24.acacia", true),
            ("2025-03-31.basil", true),
            ("2026-05-27.dahlia", true),
            ("2026-10-28.endive", true),
            ("2020-08-27", false),
            ("2025-03-31", false),
            ("2025-03-31.acacia", false),
            ("2025-03-31.preview", false),
            ("2027-03-31.fennel", false),
            ("2026-05-2x.dahlia", false),
            ("latest", false),
        ] {
            assert_eq!(ApiVersion::read(text).is_ok(), is_rendered, "{text}");
        }
        let version = ApiVersion::read("2025-03-31.basil").unwrap();
        assert!(!version.is_before("2025-03-31") && version.is_before("2025-09-30"));
    }
}
