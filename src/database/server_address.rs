//! A connection string of PostgreSQL's: what is wrong with it, and what of it may be shown. It is read as the driver reads it, so
//! that nothing which the driver takes for the password is taken for something else here.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;

use crate::secret::Secret;

const EXPECTED: &str = "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE (PostgreSQL, \"Connection URIs\")";
const SCHEMES: [&str; 2] = ["postgresql", "postgres"];
/// Parameters that may be shown.
const SHOWN: [&str; 5] = ["host", "port", "dbname", "user", "sslmode"];
/// Words of a connection string in libpq's other form, `host=… user=…`, which begins with one of them.
const KEYWORDS: [&str; 10] =
    ["host", "hostaddr", "port", "dbname", "user", "password", "sslmode", "passfile", "service", "connect_timeout"];

/// The connection string of a database, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    url: Secret,
    shown: String,
}

impl ServerAddress {
    /// Of a connection URI (PostgreSQL, "Connection URIs"). `None` if the text is not meant as a connection string; the error says
    /// what is wrong with one, without any of its text.
    pub fn parse(text: &str) -> Option<Result<ServerAddress, String>> {
        is_meant(text).then(|| read(text))
    }

    /// The whole connection string: for the driver alone.
    pub fn reveal(&self) -> &str {
        self.url.reveal()
    }
}

impl fmt::Display for ServerAddress {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Whether somebody wanted a server: also in a form that is not taken, because a file of that name would show the password.
fn is_meant(text: &str) -> bool {
    let has_scheme = |scheme: &str| {
        let begin = text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
        begin && text.get(scheme.len()..).is_some_and(|rest| rest.starts_with(':'))
    };
    // A user and a password before a host, under a misspelt scheme or none.
    let is_path = text.starts_with(['/', '.', '~']);
    let has_login = || text.split_once('@').is_some_and(|(login, _)| login.contains(':'));
    let first_word = text.split_once('=').map(|(word, _)| word.trim().to_ascii_lowercase());
    let has_keyword = first_word.is_some_and(|word| KEYWORDS.contains(&word.as_str()));
    let is_other_scheme = text.contains("://") && !SCHEMES.into_iter().any(has_scheme);
    !is_other_scheme && (SCHEMES.into_iter().any(has_scheme) || has_keyword || (!is_path && has_login()))
}

fn read(text: &str) -> Result<ServerAddress, String> {
    let written = text.split_once("://").and_then(|(scheme, rest)| {
        SCHEMES.into_iter().find(|known| scheme.eq_ignore_ascii_case(known)).map(|known| (known, rest))
    });
    let Some((scheme, rest)) = written else { return Err(EXPECTED.to_owned()) };
    // The driver's order: what is before the first @ is the user and the password, whatever else is in it.
    let (login, place) = rest.split_once('@').unwrap_or(("", rest));
    let user = login.split_once(':').map_or(login, |(user, _)| user);
    if place.contains('@') || user.contains(['/', '?', '#']) {
        return Err(format!("it has an @ too many: in a name, a password or a value write it as %40; {EXPECTED}"));
    }
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let (hosts, database) = path.split_once('/').unwrap_or((path, ""));
    let (mut faults, mut parameters) = (vec![], vec![]);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(parameter) => parameters.push(parameter),
            None => faults.push("a parameter behind the ? has no value".to_owned()),
        }
    }
    let has = |wanted: &str| parameters.iter().any(|(name, _)| *name == wanted);
    if hosts.is_empty() && !has("host") {
        faults.push("it names no host".to_owned());
    }
    faults.extend(hosts.split(',').filter(|_| !hosts.is_empty()).filter_map(fault_of_host));
    faults.extend(parameters.iter().filter_map(|(name, value)| fault_of_parameter(name, value)));
    if has("sslcert") != has("sslkey") {
        faults.push("it has one of sslcert and sslkey: both were expected, or none".to_owned());
    }
    let texts = [user, database, query].into_iter();
    if texts.into_iter().any(|text| percent_decode_str(text).decode_utf8().is_err()) {
        faults.push("what is written with % is no UTF-8".to_owned());
    }
    if !faults.is_empty() {
        return Err(format!("{}; {EXPECTED}", faults.join("; ")));
    }
    let at = if user.is_empty() { "" } else { "@" };
    let shown: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| SHOWN.contains(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mark = if shown.is_empty() { "" } else { "?" };
    let shown = format!("postgres://{user}{at}{path}{mark}{}", shown.join("&"));
    Ok(ServerAddress { url: Secret::new(format!("{scheme}://{rest}")), shown })
}

/// What is wrong with one of the hosts, with its port.
fn fault_of_host(host: &str) -> Option<String> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, "")) => (name, None),
            Some((name, behind)) => (name, Some(behind.strip_prefix(':').unwrap_or("?"))),
            None => ("", None),
        },
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if name.is_empty() || percent_decode_str(name).decode_utf8().is_err() {
        return Some("one of its hosts has no name".to_owned());
    }
    let is_good = port.is_none_or(is_port);
    (!is_good).then(|| {
        "a port is no number from 1 to 65535 (a : in a password is written %3A, and a password ends with @)".to_owned()
    })
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// What is wrong with a parameter. Its value is named by no message, and its name only if it is one.
fn fault_of_parameter(name: &str, value: &str) -> Option<String> {
    let value = percent_decode_str(value).decode_utf8_lossy();
    let one_of = |known: &[&str]| (!known.contains(&&*value)).then(|| format!("expected {}", known.join(", ")));
    let number = || (value.parse::<u32>().is_err()).then(|| "expected a whole number".to_owned());
    let expected = match name {
        "user" | "password" | "dbname" | "options" | "application_name" | "sslrootcert" | "sslcert" | "sslkey" => None,
        "host" => value.is_empty().then(|| "expected a name".to_owned()),
        "sslmode" => one_of(&["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]),
        "sslnegotiation" => one_of(&["postgres", "direct"]),
        "hostaddr" => {
            let is_good = value.split(',').all(|address| address.parse::<IpAddr>().is_ok());
            (!is_good).then(|| "expected IP addresses".to_owned())
        }
        "port" => (!value.split(',').all(is_port)).then(|| "expected a number from 1 to 65535".to_owned()),
        "connect_timeout"
        | "tcp_user_timeout"
        | "keepalives"
        | "keepalives_idle"
        | "keepalives_interval"
        | "keepalives_retries" => number(),
        "target_session_attrs" => one_of(&["any", "read-write", "read-only"]),
        "channel_binding" => one_of(&["disable", "prefer", "require"]),
        "load_balance_hosts" => one_of(&["disable", "random"]),
        _ => return Some("it has a parameter that till does not know".to_owned()),
    };
    expected.map(|expected| format!("{name}: {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://till:geheim@db:5432/till", "postgres://till@db:5432/till"),
            (
                "postgresql://a:x%40geheim@one:1,two:2/till?target_session_attrs=read-write",
                "postgres://a@one:1,two:2/till",
            ),
            (
                "postgres:///till?host=/run/pg&password=geheim&sslmode=require",
                "postgres:///till?host=/run/pg&sslmode=require",
            ),
            ("postgres://%2Frun%2Fpg/till", "postgres://%2Frun%2Fpg/till"),
            ("postgres://q:Hun?geheim@h/db", "postgres://q@h/db"),
            ("postgres://q:Hun?sslmode=geheim&x@h/db?sslmode=disable", "postgres://q@h/db?sslmode=disable"),
            ("postgres://q:a#geheim@h/db", "postgres://q@h/db"),
            ("postgres://q:a/geheim@h/db", "postgres://q@h/db"),
            ("postgres://q:a:geheim@[::1]:5/db", "postgres://q@[::1]:5/db"),
            ("postgres://:geheim@h", "postgres://h"),
        ] {
            let address = ServerAddress::parse(url).unwrap().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.reveal(), url);
            assert!(!format!("{address:?}").contains("geheim"));
        }
        let upper = ServerAddress::parse("POSTGRES://till:geheim@h/Db").unwrap().unwrap();
        assert_eq!(
            (upper.to_string().as_str(), upper.reveal()),
            ("postgres://till@h/Db", "postgres://till:geheim@h/Db")
        );
    }

    #[test]
    fn a_connection_string_that_cannot_be_read_is_refused_without_its_text() {
        for (text, words) in [
            ("host=h user=till password=geheim dbname=till", "expected postgres://"),
            ("Password = geheim", "expected postgres://"),
            ("postgres:/till:geheim@h/till", "expected postgres://"),
            ("Postgresql:geheim", "expected postgres://"),
            ("postgress:till:geheim@h/till", "expected postgres://"),
            ("till:geheim@h/till", "expected postgres://"),
            ("postgres://q:geh@geheim@h/db", "%40"),
            ("postgres://q:geh@h/geheim@x/db", "%40"),
            ("postgres://q:geh@h?geheim@x/db", "%40"),
            ("postgres://h/db?user=a@geheim", "%40"),
            ("postgres://till:geheim/db", "a port is no number"),
            ("postgres://h:0/db", "a port is no number"),
            ("postgres://[::1/db", "no name"),
            ("postgres://a,/db", "no name"),
            ("postgres:///db", "names no host"),
            ("postgres://h/db?sslmode=geheim", "sslmode: expected disable"),
            ("postgres://h/db?geheim=1", "does not know"),
            ("postgres://h/db?pass%77ord=geheim", "does not know"),
            ("postgres://h/db?geheim", "has no value"),
            ("postgres://h/db?connect_timeout=geheim", "connect_timeout: expected a whole number"),
            ("postgres://h:x/db?port=y&sslkey=z", "sslcert"),
            ("postgres://h/%ff", "no UTF-8"),
        ] {
            let said = ServerAddress::parse(text).unwrap().unwrap_err();
            assert!(said.contains(words) && said.contains("expected postgres://"), "{text}: {said}");
            assert!(!said.contains("geheim"), "{text}: {said}");
        }
        for path in ["/var/lib/till.db", "till.db", "./a:b@c.db", "/srv/x:y@z/till.db", "a=b.db"] {
            assert_eq!(ServerAddress::parse(path), None);
        }
    }
}
