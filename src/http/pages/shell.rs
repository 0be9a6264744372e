//! What surrounds every page, and links. `templates/layout.html` shows it.

use crate::error::Result;
use crate::http::assets;
use crate::http::csrf::form_token;
use crate::http::guard::{SignedIn, Visitor};
use crate::store::users::User;

#[derive(Clone, Debug)]
pub(super) struct Shell {
    /// Without the program's name.
    pub title: String,
    /// For the hidden field `csrf` of each form. Empty for visitors, who get no forms.
    pub csrf: String,
    /// `None` for visitors.
    pub person: Option<Person>,
}

/// The signed-in user, as the header names them.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
}

impl Person {
    pub(super) fn of(user: &User) -> Person {
        Person { id: user.id.clone(), name: user.name.clone(), email: user.email.clone() }
    }

    /// How the page addresses them: by name, else by e-mail address, else by id.
    pub(super) fn label(&self) -> &str {
        [&self.name, &self.email]
            .into_iter()
            .flatten()
            .map(|text| text.trim())
            .find(|text| !text.is_empty())
            .unwrap_or(&self.id)
    }

    /// The e-mail address, unless it is the label already.
    pub(super) fn second_line(&self) -> Option<&str> {
        self.email.as_deref().filter(|email| !email.is_empty() && *email != self.label())
    }
}

impl Shell {
    /// For a page that is the same for everybody.
    pub(super) fn anonymous(title: &str) -> Shell {
        Shell { title: title.to_owned(), csrf: String::new(), person: None }
    }

    pub(super) fn signed_in(title: &str, signed_in: &SignedIn) -> Result<Shell> {
        let person = Person::of(&signed_in.member.user);
        Ok(Shell { title: title.to_owned(), csrf: form_token(&signed_in.cookie)?, person: Some(person) })
    }

    /// For a page that both visitors and users see.
    pub(super) fn for_visitor(title: &str, visitor: &Visitor) -> Result<Shell> {
        visitor.0.as_ref().map_or_else(|| Ok(Shell::anonymous(title)), |signed_in| Shell::signed_in(title, signed_in))
    }

    /// The path of a stylesheet, script or icon.
    pub(super) fn asset(&self, name: &str) -> &'static str {
        assets::url(name)
    }
}

/// A link at the end of a page, where the reader may go next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// A path of ours, or an `https` or `http` address.
    pub href: String,
    pub label: String,
}

impl Link {
    /// A link to one of our own paths.
    pub(super) fn to(path: &str, label: &str) -> Link {
        Link { href: path.to_owned(), label: label.to_owned() }
    }

    pub(super) fn dashboard() -> Link {
        Link::to("/dashboard", "Go to your dashboard")
    }

    /// Back to where the buyer came from, named by its host. The caller has checked that the origin is allowed. Anything
    /// but an `http` or `https` address is refused here all the same, because a link can also be a script.
    pub(super) fn back_to(return_url: &str) -> Option<Link> {
        let url = url::Url::parse(return_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let label = format!("Back to {}", url.host_str()?);
        Some(Link { href: url.into(), label })
    }
}
