//! What an e-mail address is, where somebody signs in by it or a letter goes there: stricter than RFC 5321 allows, because a
//! strange one is a mistake or a trick. What programs write into `users.email`, for people to read, is not bound by it.

use std::fmt;

use email_address::EmailAddress;
use url::Host;

use crate::plain_text::is_left_out_of_hosts;

/// The most characters of an address (RFC 5321, section 4.5.3.1.3, less the brackets).
pub const EMAIL_LIMIT: usize = 254;

/// An address that letters can go to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email {
    written: String,
    canonical: String,
}

impl Email {
    /// Reads an address as a person typed it, without white space around it. `None` unless it is a plain one: letters, digits
    /// and `!#$%&'*+-/=?^_{|}~.` before the `@`, and the name of a host below a top-level domain behind it, in any script. What
    /// nobody sees is refused before the rules of host names leave it out: else two spellings that look alike were one address.
    pub fn parse(text: &str) -> Option<Email> {
        let text = text.trim_matches([' ', '\t']);
        if text.chars().count() > EMAIL_LIMIT
            || text.chars().any(|letter| is_left_out_of_hosts(letter) || letter == '%')
        {
            return None;
        }
        let (local, domain) = text.rsplit_once('@')?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-/=?^_{|}~.".contains(&byte);
        if !local.bytes().all(is_plain) || domain.ends_with('.') {
            return None;
        }
        // The URL standard's parser of hosts is the one that is at hand for names in other scripts (UTS 46).
        let Ok(Host::Domain(domain)) = Host::parse(domain) else { return None };
        let top = domain.rsplit_once('.').map(|(_, top)| top)?;
        let written = format!("{local}@{domain}");
        let is_address = EmailAddress::is_valid(&written) && written.len() <= EMAIL_LIMIT;
        let is_named = !top.bytes().all(|byte| byte.is_ascii_digit());
        (is_address && is_named).then(|| Email { canonical: written.to_ascii_lowercase(), written })
    }

    /// Where letters go: as it was typed, the domain in lower case and in ASCII.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// By which it is compared and stored: all in lower case.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_and_its_canonical_form_is_in_lower_case() {
        for (typed, written, canonical) in [
            ("ada@example.org", "ada@example.org", "ada@example.org"),
            (" Ada.L+tag@Example.ORG ", "Ada.L+tag@example.org", "ada.l+tag@example.org"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
            ("ada@BÜCHER.example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
            ("o'neil@a-b.example.co.uk", "o'neil@a-b.example.co.uk", "o'neil@a-b.example.co.uk"),
        ] {
            let email = Email::parse(typed).unwrap_or_else(|| panic!("{typed}"));
            assert_eq!((email.as_str(), email.canonical()), (written, canonical));
        }
    }

    #[test]
    fn what_is_strange_is_no_address() {
        let long = format!("{}@example.org", "a".repeat(65));
        let long_domain = format!("a@{}.example", "a".repeat(64));
        for typed in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.org",
            "ada@localhost",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "ada@[::1]",
            "ada@0x7f.1",
            "ada@example.org.",
            "ada@exa mple.org",
            "ada@exam%70le.org",
            "a%b@example.org",
            "a da@example.org",
            "\"ada l\"@example.org",
            "ada@a@example.org",
            ".ada@example.org",
            "ada.@example.org",
            "a..b@example.org",
            "ada@example.org\nBcc: eve@example.org",
            "ada@example.org\r",
            "ada\u{0}@example.org",
            "ada\u{202e}@example.org",
            "ada@exam\u{202e}ple.org",
            "ada@exam\u{ad}ple.org",
            "ada@exam\u{200b}ple.org",
            "ada@exam\u{200d}ple.org",
            "ada@exam\u{2060}ple.org",
            "ada@exam\u{feff}ple.org",
            "ada@example.org\u{fe0f}",
            "äda@example.org",
            "🙂@example.org",
            "Ada <ada@example.org>",
            "ada@example.org, eve@example.org",
            "ada@-example.org",
            "ada@example..org",
            "ada@example.123",
            &long,
            &long_domain,
        ] {
            assert!(Email::parse(typed).is_none(), "{typed:?}: {:?}", Email::parse(typed).map(|email| email.written));
        }
    }
}
