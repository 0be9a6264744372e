//! Who sells: what pages call the shop, where its app, its terms and its support are, and its colour. The table `[shop]` of
//! the catalogue's file.

use serde::Deserialize;
use url::Url;

const NAME_LIMIT: usize = 60;
const ADDRESS_LIMIT: usize = 500;
/// White text on the accent must be readable (WCAG 2.2, success criterion 1.4.3).
const CONTRAST: f64 = 4.5;

/// The shop. What is absent is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shop {
    /// In the header and the title of each page.
    pub name: Option<String>,
    /// The app in which the units are used, and from which buyers come.
    pub app_url: Option<String>,
    /// An e-mail address or a page.
    pub support: Option<String>,
    pub terms_url: Option<String>,
    pub privacy_url: Option<String>,
    /// `#0b6b4c`.
    pub accent: Option<String>,
}

impl Shop {
    /// What is wrong with it.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = vec![];
        if let Some(name) = self.name.as_deref().filter(|name| !is_line(name, NAME_LIMIT)) {
            faults.push(format!("shop.name is {name:?}; expected one line of 1 to {NAME_LIMIT} characters"));
        }
        let urls = [("app_url", &self.app_url), ("terms_url", &self.terms_url), ("privacy_url", &self.privacy_url)];
        for (field, url) in urls {
            if let Some(url) = url.as_deref().filter(|url| !is_web_address(url)) {
                faults.push(format!("shop.{field} is {url:?}; expected an address such as https://app.example.com"));
            }
        }
        if let Some(support) = self.support.as_deref().filter(|text| !is_mail_address(text) && !is_web_address(text)) {
            faults.push(format!("shop.support is {support:?}; expected an e-mail address or https://…"));
        }
        if let Some(accent) = self.accent.as_deref() {
            match rgb(accent).map(contrast_with_white) {
                None => faults.push(format!("shop.accent is {accent:?}; expected a colour such as \"#0b6b4c\"")),
                Some(contrast) if contrast < CONTRAST => faults.push(format!(
                    "shop.accent is {accent:?}, on which white text cannot be read; expected a darker colour"
                )),
                Some(_) => {}
            }
        }
        faults
    }

    /// What Stripe's pages, receipts and invoices call something on sale: `Fox Pictures: 100 pictures`, where the shop has a
    /// name.
    pub fn titled(&self, offer: &str) -> String {
        self.name.as_ref().map_or_else(|| offer.to_owned(), |shop| format!("{shop}: {offer}"))
    }

    /// The accent in red, green and blue.
    pub fn colour(&self) -> Option<[u8; 3]> {
        self.accent.as_deref().and_then(rgb)
    }

    /// Where support is, as a link: an e-mail address is one to write to.
    pub fn support_link(&self) -> Option<String> {
        let support = self.support.as_deref()?;
        Some(if is_mail_address(support) { format!("mailto:{support}") } else { support.to_owned() })
    }
}

fn is_line(text: &str, limit: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= limit && !text.chars().any(char::is_control)
}

fn is_web_address(text: &str) -> bool {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    is_line(text, ADDRESS_LIMIT) && url.is_some_and(|url| url.username().is_empty() && url.password().is_none())
}

fn is_mail_address(text: &str) -> bool {
    let is_plain =
        |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_graphic() && letter != '?');
    is_line(text, ADDRESS_LIMIT)
        && !text.contains(':')
        && text.split_once('@').is_some_and(|(local, host)| is_plain(local) && is_plain(host) && !host.contains('@'))
}

fn rgb(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

/// WCAG 2.2, "contrast ratio" and "relative luminance".
fn contrast_with_white(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_is_refused() {
        let of = |text: &str| toml::from_str::<Shop>(text).unwrap().faults().join("; ");
        let sound = [
            "",
            "name = \"Fox & Sons\"\napp_url = \"https://app.example.com/billing?tab=1\"",
            "support = \"help@example.com\"\nterms_url = \"https://example.com/terms\"\naccent = \"#0b6b4c\"",
            "support = \"https://example.com/help\"\nprivacy_url = \"http://localhost:3000/privacy\"",
        ];
        for text in sound {
            assert_eq!(of(text), "", "{text}");
        }
        for (text, names) in [
            ("name = \" \"", "shop.name"),
            ("app_url = \"app.example.com\"", "shop.app_url"),
            ("app_url = \"javascript:alert(1)\"", "shop.app_url"),
            ("terms_url = \"https://a:b@example.com\"", "shop.terms_url"),
            ("privacy_url = \"/privacy\"", "shop.privacy_url"),
            ("support = \"help\"", "shop.support"),
            ("support = \"mailto:help@example.com\"", "shop.support"),
            ("accent = \"green\"", "shop.accent"),
            ("accent = \"#ffee00\"", "darker"),
        ] {
            assert!(of(text).contains(names), "{text}: {}", of(text));
        }
        assert!(toml::from_str::<Shop>("colour = \"#000000\"").is_err());
    }
}
