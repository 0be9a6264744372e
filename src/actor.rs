//! Who does something: named in the audit, on entries and in the log.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Who does something, from which address, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    name: Arc<str>,
    address: Option<Arc<str>>,
    reason: Option<Arc<str>>,
}

impl Actor {
    /// The appliance itself: its timer, and whatever nobody asked for.
    pub fn till() -> Actor {
        Actor::named("till".to_owned())
    }

    /// Stripe, by an event that it signed or an answer that it gave.
    pub fn stripe() -> Actor {
        Actor::named("stripe".to_owned())
    }

    /// Somebody at the command line of the machine.
    pub fn command_line() -> Actor {
        Actor::named("cli".to_owned())
    }

    /// A program that calls the service API with this token.
    pub fn token(id: &str) -> Actor {
        Actor::named(format!("token:{id}"))
    }

    /// A person who is signed in.
    pub fn user(id: &str) -> Actor {
        Actor::named(format!("user:{id}"))
    }

    /// A browser or a program of which nobody knows whose it is.
    pub fn visitor() -> Actor {
        Actor::named("visitor".to_owned())
    }

    fn named(name: String) -> Actor {
        Actor { name: name.into(), address: None, reason: None }
    }

    /// The same, calling from this address; `None` is one that nobody knows.
    pub fn at(self, address: Option<IpAddr>) -> Actor {
        let address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        Actor { address: Some(address.into()), ..self }
    }

    /// Who it has turned out to be, calling from the same address.
    pub fn identified_as(&self, actor: Actor) -> Actor {
        Actor { address: self.address.clone(), reason: self.reason.clone(), ..actor }
    }

    /// The same, for this reason.
    pub fn because(&self, reason: &str) -> Actor {
        Actor { reason: Some(reason.into()), ..self.clone() }
    }

    /// `cli`, `till`, `stripe`, `visitor`, `token:<id>` or `user:<id>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client's address, or `unknown`; `None` for what no client asked for.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Why, in an operator's words; `None` where nobody was asked for a reason.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
