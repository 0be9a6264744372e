//! What stands between the world and us: the certificate of the public URL, and what the proxy says of its clients, as a
//! signed probe arrived here.

use url::Url;

use super::PATIENCE;
use super::finding::{Finding, bad, good, open, warning};
use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp, rfc3339};
use crate::stripe::probe::NotAccepted;
use crate::stripe::probe::{ArrivalReport, CLAIMED_ADDRESS, certificate_end};

/// A certificate that is renewed by itself is renewed a month before its end.
const CERTIFICATE_DAYS: i64 = 14;

/// Whether browsers and Stripe accept the certificate, and for how long. Nothing is said of a URL without TLS.
pub(super) fn certificate(app: &App) -> Option<Finding> {
    let what = "certificate";
    let url = Url::parse(app.config.base_url.as_str()).ok().filter(|url| url.scheme() == "https")?;
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let now = app.clock.wall();
    Some(match certificate_end(host, port, PATIENCE) {
        Ok(end) => judge_end(host, Timestamp::from_seconds(end), now),
        Err(NotAccepted::Refused(why)) => {
            let detail = format!(
                "the one of {host} is not accepted ({why}): browsers warn of it, and Stripe delivers nothing. Correct it in \
                 the proxy"
            );
            bad(what, detail)
        }
        Err(NotAccepted::Unknown(why)) => open(what, format!("not known: {host} could not be looked at ({why})")),
    })
}

fn judge_end(host: &str, end: Timestamp, now: Timestamp) -> Finding {
    let what = "certificate";
    let days = end.millis().saturating_sub(now.millis()) / (1000 * DAY_SECONDS);
    let said = format!("name and chain of {host} are good, until {}", rfc3339(end));
    if days < CERTIFICATE_DAYS {
        return warning(what, format!("{said}, and that is {days} days: see why the proxy does not renew it"));
    }
    good(what, said)
}

/// Whether clients can be told apart, and none can claim to be another. `seen` is how the probe arrived, which claimed to
/// come from another address.
pub(super) fn proxy(app: &App, seen: Option<&ArrivalReport>) -> Finding {
    let what = "proxy headers";
    let Some(seen) = seen else {
        let detail =
            "not known: the till that runs did not say how the probe arrived. Restart it if it is an older one";
        return open(what, detail.to_owned());
    };
    judge_proxy(app.config.base_url.is_https(), app.config.base_url.is_loopback(), seen)
}

fn judge_proxy(is_https: bool, is_loopback: bool, seen: &ArrivalReport) -> Finding {
    let what = "proxy headers";
    let peer = seen.peer.as_deref().unwrap_or("a socket");
    let last = seen.forwarded_for.iter().rev().find(|item| !item.is_empty());
    if !is_https && (is_loopback || !seen.is_peer_trusted) {
        let detail =
            format!("there is no proxy: this probe came from {peer}, and clients are known by their connection");
        return good(what, detail);
    }
    if !seen.is_peer_trusted {
        return bad(
            what,
            format!(
                "the proxy's address, {peer}, is not in SPRITE_TRUSTED_PROXIES, so all clients are taken for one. Add it \
                 there, and restart till"
            ),
        );
    }
    match last.map(String::as_str) {
        None => bad(
            what,
            format!(
                "the proxy at {peer} sends no X-Forwarded-For: clients are not known, and one that asks too often cannot be \
                 told from others. Let it send the header"
            ),
        ),
        Some(CLAIMED_ADDRESS) => bad(
            what,
            format!(
                "the proxy at {peer} passes on the X-Forwarded-For that a client sends: anybody can claim any address. Let \
                 it set the header, or add the client's address at its end"
            ),
        ),
        Some(named) => good(what, format!("the proxy at {peer} names its client, {named}{}", others(seen))),
    }
}

/// The headers that are not used, for the operator who looks for a fault.
fn others(seen: &ArrivalReport) -> String {
    let word = |name: &str, value: &Option<String>| match value {
        Some(value) => format!("; {name} {value}"),
        None => format!("; no {name}"),
    };
    format!("{}{}", word("scheme", &seen.scheme), word("host", &seen.host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usecase::operator::check::finding::Verdict;

    #[test]
    fn a_certificate_is_a_warning_before_its_end() {
        let now = Timestamp::from_seconds(1_800_000_000);
        for (days, expected) in
            [(90, Verdict::Good), (14, Verdict::Good), (13, Verdict::Warning), (0, Verdict::Warning)]
        {
            assert_eq!(judge_end("x", now.plus_seconds(days * DAY_SECONDS), now).verdict, expected, "{days}");
        }
    }

    #[test]
    fn a_proxy_is_judged_by_how_the_probe_arrived() {
        let claimed = CLAIMED_ADDRESS;
        for (is_https, is_loopback, is_trusted, forwarded, expected) in [
            (true, false, true, vec![claimed, "203.0.113.7"], Verdict::Good),
            (true, false, true, vec!["203.0.113.7"], Verdict::Good),
            (true, true, true, vec!["127.0.0.1"], Verdict::Good),
            (true, false, true, vec![claimed], Verdict::Bad),
            (true, false, true, vec![], Verdict::Bad),
            (true, false, true, vec![""], Verdict::Bad),
            (true, false, false, vec![claimed, "203.0.113.7"], Verdict::Bad),
            (false, true, true, vec![claimed], Verdict::Good),
            (false, false, false, vec![claimed], Verdict::Good),
            (false, false, true, vec![claimed], Verdict::Bad),
        ] {
            let forwarded_for = forwarded.iter().map(|item| (*item).to_owned()).collect();
            let seen = ArrivalReport { is_peer_trusted: is_trusted, forwarded_for, ..ArrivalReport::default() };
            let found = judge_proxy(is_https, is_loopback, &seen);
            assert_eq!(
                found.verdict, expected,
                "{is_https} {is_loopback} {is_trusted} {forwarded:?}: {}",
                found.detail
            );
        }
    }
}
