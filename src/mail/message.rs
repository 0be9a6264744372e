//! A letter as a message that a mail server takes (RFC 5322): the same words as text and as HTML, without anything that is
//! loaded from elsewhere. The mail library writes every header, and encodes what may not stand there.

use std::time::{Duration, UNIX_EPOCH};

use askama::Template;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use url::Host;

use super::letter::Letter;
use super::words::{LetterWords, ShopWords};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::id;
use crate::language::Language;

/// The colour of the shop that names none, as in `assets/till.css`.
const ACCENT: &str = "#0b6b4c";
const ADDRESS_LIMIT: usize = 320;

/// Everything around a letter's words.
#[derive(Clone)]
pub struct Envelope<'a> {
    pub from: &'a Mailbox,
    pub to: &'a str,
    /// The same each time that the letter is sent, so that a reader's program recognises it.
    pub id: &'a str,
    /// When it was written.
    pub at: Timestamp,
    /// Where the reader refuses further letters of its kind; absent where nobody can.
    pub unsubscribe_url: Option<String>,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct TextPart<'a> {
    words: &'a LetterWords,
    shop: &'a str,
    support: Option<&'a str>,
    unsubscribe_url: Option<&'a str>,
    language: Language,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct HtmlPart<'a> {
    words: &'a LetterWords,
    shop: &'a str,
    language: Language,
    accent: &'a str,
    support_link: Option<String>,
    unsubscribe_url: Option<&'a str>,
}

/// Writes the message. Fails where the address is none.
pub fn message(shop: &ShopWords<'_>, letter: &Letter, envelope: &Envelope<'_>) -> Result<Message, Fault> {
    let to = address(envelope.to).ok_or_else(|| Fault::bare("the letter's address is no e-mail address"))?;
    let words = LetterWords::of(shop, letter);
    let facts = &shop.catalog.shop;
    let unsubscribe_url = envelope.unsubscribe_url.as_deref();
    let (name, support) = (shop.name(), facts.support.as_deref());
    let text = TextPart { words: &words, shop: name, support, unsubscribe_url, language: shop.language };
    let html = HtmlPart {
        words: &words,
        shop: name,
        language: shop.language,
        accent: facts.accent.as_deref().unwrap_or(ACCENT),
        support_link: facts.support_link(),
        unsubscribe_url,
    };
    let cannot = |cause| Fault::new("a letter's template cannot be filled in", cause);
    let (text, html) = (text.render().map_err(cannot)?, html.render().map_err(cannot)?);

    let mut builder = Message::builder()
        .from(ascii_mailbox(envelope.from))
        .to(Mailbox::new(None, to))
        .subject(one_line(&words.title))
        .message_id(Some(message_id(envelope)))
        .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(envelope.at.millis()).unwrap_or(0)))
        // RFC 3834: programs that answer letters do not answer this one.
        .raw_header(header("Auto-Submitted", "auto-generated"));
    if let Some(support) = support.and_then(address) {
        builder = builder.reply_to(Mailbox::new(None, support));
    }
    if let Some(url) = unsubscribe_url {
        builder = builder.raw_header(header("List-Unsubscribe", &format!("<{url}>")));
        if url.starts_with("https:") {
            // RFC 8058, section 3.1.
            builder = builder.raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        }
    }
    let parts = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, text))
        .singlepart(part(ContentType::TEXT_HTML, html));
    builder.multipart(parts).map_err(|cause| Fault::new("a letter cannot be written", cause))
}

/// An address that the mail library takes, with its domain in ASCII; `None` for any other text, and for what no address needs.
pub fn address(text: &str) -> Option<Address> {
    let is_odd =
        |letter: char| letter.is_control() || letter.is_whitespace() || matches!(letter, '<' | '>' | '"' | '\\');
    if text.len() > ADDRESS_LIMIT || text.contains(is_odd) {
        return None;
    }
    ascii_domain(&text.parse::<Address>().ok()?)
}

/// The same address with its domain as the domain name system writes it (RFC 5890).
fn ascii_domain(address: &Address) -> Option<Address> {
    let domain = match address.domain() {
        domain if domain.is_ascii() => domain.to_owned(),
        domain => Host::parse(domain).ok()?.to_string(),
    };
    Address::new(address.user(), domain).ok()
}

fn ascii_mailbox(mailbox: &Mailbox) -> Mailbox {
    let email = ascii_domain(&mailbox.email).unwrap_or_else(|| mailbox.email.clone());
    Mailbox::new(mailbox.name.as_deref().map(one_line), email)
}

/// RFC 5322, section 3.6.4. The letter's own id is hashed, because it says how many letters there are.
fn message_id(envelope: &Envelope<'_>) -> String {
    let text = format!("{} {}", envelope.id, envelope.at.millis());
    let digest = id::digest(text.as_bytes());
    let domain = ascii_domain(&envelope.from.email).map_or_else(String::new, |email| email.domain().to_owned());
    format!("<{}@{domain}>", id::hex(&digest[..16]))
}

fn part(content_type: ContentType, text: String) -> SinglePart {
    // Whatever a letter says, its lines stay short and its characters ASCII: every server takes that.
    SinglePart::builder().header(content_type).header(ContentTransferEncoding::QuotedPrintable).body(text)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), one_line(value))
}

/// A header is one line. The library encodes line breaks as well; here they go.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::mail::letter::{PackReceipt, PaymentFailure};

    fn written(letter: &Letter, language: Language, unsubscribe_url: Option<&str>) -> String {
        let mut catalog = Catalog::built_in();
        catalog.shop.name = Some("A <b>& \"C\"".to_owned());
        let dashboard_url = "https://pay.example.com/dashboard".to_owned();
        let shop = ShopWords { catalog: &catalog, language, dashboard_url, is_test: false };
        let from = Mailbox::new(Some("Bürö".to_owned()), "billing@bücher.example".parse().unwrap());
        let unsubscribe_url = unsubscribe_url.map(str::to_owned);
        let at = Timestamp::from_seconds(1_790_000_000);
        let envelope = Envelope { from: &from, to: "ada@example.org", id: "r", at, unsubscribe_url };
        String::from_utf8(message(&shop, letter, &envelope).unwrap().formatted()).unwrap()
    }

    #[test]
    fn every_letter_is_ascii_in_short_lines_with_the_headers_that_it_needs() {
        let url = "https://pay.example.com/x?token=1&y=<script>".to_owned();
        let letters = [
            Letter::SignIn { url: url.clone(), minutes: 10 },
            Letter::SignUp { url: url.clone(), minutes: 10 },
            Letter::PasswordReset { url: url.clone(), minutes: 1 },
            Letter::AddressChange { url: url.clone(), minutes: 10 },
            Letter::AddressChanged { new_address: "<script>@example.org".to_owned() },
            Letter::Invite { url },
            Letter::Welcome {},
            Letter::Receipt(PackReceipt {
                offers: vec!["<script>".to_owned()],
                units: 1,
                amount: 900,
                currency: "-".to_owned(),
                paid_at: 0,
                balance: -3,
            }),
            Letter::PaymentFailed(PaymentFailure {
                plan: "<script>".to_owned(),
                amount: 900,
                currency: "eur".to_owned(),
                next_attempt_at: None,
            }),
            Letter::PlanEnds { plan: "<script>".to_owned(), at: 0, has_ended: false },
            Letter::UnitsExpire { units: 1, at: 0 },
            Letter::LowBalance { remaining: -4, threshold: 10 },
            Letter::Test {},
        ];
        let in_each = letters.iter().flat_map(|letter| Language::ALL.map(|language| (letter, language)));
        for (letter, language) in in_each {
            let stored = serde_json::to_string(letter).unwrap();
            assert!(serde_json::from_str::<Letter>(&stored).is_ok_and(|read| read == *letter), "{stored}");
            let text = written(letter, language, None);
            assert!(text.is_ascii(), "{text}");
            assert!(text.lines().all(|line| line.len() <= 200), "{text}");
            assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
            assert!(text.contains("billing@xn--bcher-kva.example"), "{text}");
            assert!(text.contains("Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"), "{text}");
            assert!(!text.contains("List-Unsubscribe"), "{text}");
            // Where the text part ends, HTML begins, and nothing in it is a tag that a word brought.
            let html = text.rsplit("Content-Type: text/html").next().unwrap();
            assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
        }
    }

    #[test]
    fn one_press_is_offered_over_https_alone() {
        let header = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";
        let long = format!("https://pay.example.com/unsubscribe?token={}", "a".repeat(120));
        let text = written(&Letter::Welcome {}, Language::En, Some(&long));
        let unfolded: Vec<&str> = text.split_whitespace().collect();
        assert!(text.contains(header) && unfolded.contains(&format!("<{long}>").as_str()), "{text}");
        let text = written(&Letter::Welcome {}, Language::En, Some("http://127.0.0.1:8080/unsubscribe?token=a"));
        assert!(!text.contains(header) && text.contains("List-Unsubscribe: <http://127.0.0.1:8080/"), "{text}");
    }
}
