//! What surrounds every page: title, navigation, and who is signed in.

use crate::http::assets;

/// The values that `templates/layout.html` needs.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The page's title, without the program's name.
    pub title: String,
    /// The token that goes into each form as the hidden field `csrf`. Empty for visitors, who get no forms.
    pub csrf: String,
    /// Who is signed in; `None` for visitors.
    pub person: Option<Person>,
}

/// The signed-in user, as the header names them.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's id, shown when there is neither name nor e-mail address.
    pub id: String,
    /// Their name, if known.
    pub name: Option<String>,
    /// Their e-mail address, if known.
    pub email: Option<String>,
}

impl Person {
    /// How the page addresses them: by name, else by e-mail address, else by id.
    pub fn label(&self) -> &str {
        [&self.name, &self.email]
            .into_iter()
            .flatten()
            .map(|text| text.trim())
            .find(|text| !text.is_empty())
            .unwrap_or(&self.id)
    }

    /// The e-mail address beside the name, when it is not the label already.
    pub fn second_line(&self) -> Option<&str> {
        self.email.as_deref().filter(|email| !email.is_empty() && *email != self.label())
    }
}

impl Shell {
    /// A page for a visitor.
    pub fn visitor(title: &str) -> Shell {
        Shell { title: title.to_owned(), csrf: String::new(), person: None }
    }

    /// A page for a user, with the session's token against forged forms.
    pub fn signed_in(title: &str, csrf: &str, person: Person) -> Shell {
        Shell { title: title.to_owned(), csrf: csrf.to_owned(), person: Some(person) }
    }

    /// The path of a stylesheet, script or icon.
    pub fn asset(&self, name: &str) -> &'static str {
        assets::url(name)
    }
}

/// A way on from a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// A path of ours, or an `https`/`http` address.
    pub href: String,
    /// What it says.
    pub label: String,
}

impl Link {
    /// A link to one of our own paths.
    pub fn to(path: &str, label: &str) -> Link {
        Link { href: path.to_owned(), label: label.to_owned() }
    }

    /// The dashboard.
    pub fn dashboard() -> Link {
        Link::to("/dashboard", "Go to your dashboard")
    }

    /// Back to where the buyer came from, named by its host. The caller has checked that its origin is allowed;
    /// anything but an `http` or `https` address is refused here all the same, for a link can also be a script.
    pub fn back_to(return_url: &str) -> Option<Link> {
        let url = url::Url::parse(return_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let label = format!("Back to {}", url.host_str()?);
        Some(Link { href: url.into(), label })
    }
}
