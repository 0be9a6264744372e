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

/// The colour of the shop that names none, as in `assets/till.css`.
const ACCENT: &str = "#0b6b4c";
const ADDRESS_LIMIT: usize = 320;

/// Everything around a letter's words.
#[derive(Clone)]
pub struct Envelope<'a> {
    pub from: &'a Mailbox,
    pub to: &'a str,
    pub locale: &'a str,
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
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct HtmlPart<'a> {
    words: &'a LetterWords,
    shop: &'a str,
    locale: &'a str,
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
    let text = TextPart { words: &words, shop: name, support, unsubscribe_url };
    let html = HtmlPart {
        words: &words,
        shop: name,
        locale: envelope.locale,
        accent: facts.accent.as_deref().unwrap_or(ACCENT),
        support_link: facts.support_link(),
        unsubscribe_url,
    };
    let cannot = |cause| Fault::new("a letter's template cannot be filled in", cause);
    let (text, html) = (text.render().map_err(cannot)?, html.render().map_err(cannot)?);

    let mut builder = Message::builder()
        .from(ascii_mailbox(envelope.from))
        .to(Mailbox::new(None, to))
        .subject(one_line(&words.subject))
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
