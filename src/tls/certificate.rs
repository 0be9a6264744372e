//! The certificate that a server shows: whether it is accepted for that name, and when it ends. Nothing else of it is read.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::system_certificates;

/// Tags of X.690.
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version of a certificate (RFC 5280, section 4.1), which may be absent.
const VERSION: u8 = 0xa0;

/// Why a certificate was not seen to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// Its name, its chain or its time is wrong, in the words of the TLS library.
    Refused(String),
    /// Nothing was learnt of it.
    Unknown(String),
}

/// When the certificate ends that is shown for this name, in seconds since 1970: after name, chain and time were found to be
/// good by the system's authorities.
pub fn end_of(host: &str, port: u16, patience: Duration) -> Result<i64, NotAccepted> {
    let unknown = |why: String| NotAccepted::Unknown(why);
    let authorities = system_certificates()
        .ok_or_else(|| unknown("this machine has no list of authorities (ca-certificates)".into()))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| unknown(cause.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name =
        ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|cause| unknown(cause.to_string()))?;
    let mut client = ClientConnection::new(Arc::new(config), name).map_err(|cause| unknown(cause.to_string()))?;
    let mut stream = connect(host, port, patience).map_err(|cause| unknown(cause.to_string()))?;
    while client.is_handshaking() {
        client.complete_io(&mut stream).map_err(refusal)?;
    }
    let shown = client.peer_certificates().and_then(|chain| chain.first());
    shown.and_then(|certificate| not_after(certificate)).ok_or_else(|| unknown("its end cannot be read".into()))
}

fn connect(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("the name has no address");
    for address in (host.trim_matches(['[', ']']), port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                return Ok(stream);
            }
            Err(cause) => failure = cause,
        }
    }
    Err(failure)
}

fn refusal(cause: io::Error) -> NotAccepted {
    let tls = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(why)) => NotAccepted::Refused(why.to_string()),
        _ => NotAccepted::Unknown(cause.to_string()),
    }
}

/// The end of a certificate in DER (RFC 5280, sections 4.1 and 4.1.2.5), in seconds since 1970.
fn not_after(certificate: &[u8]) -> Option<i64> {
    let (_, outer, _) = element(certificate, Some(SEQUENCE))?;
    let (_, fields, _) = element(outer, Some(SEQUENCE))?;
    let rest = match element(fields, None)? {
        (VERSION, _, rest) => rest,
        _ => fields,
    };
    // The serial number, the signature's algorithm and the issuer stand before the times.
    let rest = (0..3).try_fold(rest, |rest, _| Some(element(rest, None)?.2))?;
    let (_, times, _) = element(rest, Some(SEQUENCE))?;
    let (_, _, rest) = element(times, None)?;
    let (tag, end, _) = element(rest, None)?;
    time(tag, std::str::from_utf8(end).ok()?)
}

/// The first element: its tag, its contents, and what follows it.
fn element(bytes: &[u8], expected: Option<u8>) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    if expected.is_some_and(|expected| expected != tag) {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

/// `YYMMDDHHMMSSZ`, of which 50 and more is of the last century, or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &str) -> Option<i64> {
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year >= 50 { 1900 + year } else { 2000 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let digits = rest.strip_suffix('Z').filter(|digits| digits.len() == 10)?;
    let part = |place: usize| digits.get(2 * place..2 * place + 2)?.parse::<i8>().ok();
    // The year 9999 says that it never ends (section 4.1.2.5).
    let moment = DateTime::new(year, part(0)?, part(1)?, part(2)?, part(3)?, part(4)?, 0).ok()?;
    Some(TimeZone::UTC.to_timestamp(moment).unwrap_or(Timestamp::MAX).as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], contents].concat()
    }

    #[test]
    fn the_end_of_a_certificate_is_read_and_nothing_is_made_of_what_is_none() {
        let short = |tag: u8, contents: &[u8]| [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat();
        let times = |tag: u8, end: &str| [short(UTC_TIME, b"260101000000Z"), short(tag, end.as_bytes())].concat();
        let of = |tag: u8, end: &str, version: &[u8]| {
            let before = [version, &short(2, b"\x01\x02"), &short(SEQUENCE, b""), &short(SEQUENCE, b"issuer")].concat();
            let fields = [before, short(SEQUENCE, &times(tag, end)), short(SEQUENCE, b"subject")].concat();
            wrapped(SEQUENCE, &[wrapped(SEQUENCE, &fields), short(SEQUENCE, b"")].concat())
        };
        let version = short(VERSION, b"\x02\x01\x02");
        for (tag, end, expected) in [
            (UTC_TIME, "270102030405Z", Some(1_798_859_045)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, "700101000001Z", Some(1)),
            (GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, "99991231235959Z", Some(Timestamp::MAX.as_second())),
            (GENERALIZED_TIME, "20501301000000Z", None),
            (UTC_TIME, "2701020304Z", None),
            (4, "270102030405Z", None),
        ] {
            assert_eq!(not_after(&of(tag, end, &version)), expected, "{end}");
            assert_eq!(not_after(&of(tag, end, b"")), expected, "{end}, without a version");
        }
        let whole = of(UTC_TIME, "270102030405Z", &version);
        for end in 0..whole.len() {
            assert_eq!(not_after(&whole[..end]), None, "cut at {end}");
        }
    }
}
