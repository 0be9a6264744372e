//! What surrounds every page, and links. `templates/layout.html` shows it.

use crate::app::App;
use crate::catalog::Catalog;
use crate::config::Mode;
use crate::error::Result;
use crate::http::assets;
use crate::http::csrf::form_token;
use crate::http::guard::{SignedIn, Visitor};
use crate::http::pages::words::capitalised;
use crate::language::Language;
use crate::store::users::User;

/// What all pages say about the shop.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub name: String,
    /// Whether the shop has a name of its own.
    pub is_named: bool,
    /// For search engines and previews.
    pub description: String,
    /// The app in which the units are used.
    pub app: Option<Link>,
    /// Support, terms, privacy.
    pub footer: Vec<Link>,
    /// Whether no real money moves.
    pub is_test: bool,
    /// Whether the shop has a colour of its own.
    pub has_accent: bool,
}

impl Site {
    pub(super) fn of(catalog: &Catalog, is_test: bool, language: Language) -> Site {
        let shop = &catalog.shop;
        let name = shop.name.clone().unwrap_or_else(|| "till".to_owned());
        let footer = [
            (language.shell_support(), shop.support_link()),
            (language.shell_terms(), shop.terms_url.clone()),
            (language.shell_privacy(), shop.privacy_url.clone()),
        ];
        Site {
            description: language.shell_description(capitalised(catalog.unit.many(language)), &name),
            app: shop.app_url.as_deref().and_then(|url| Link::to_app(url, shop.name.as_deref(), language)),
            footer: footer.into_iter().filter_map(|(label, href)| Some(Link::to(&href?, label))).collect(),
            is_test,
            has_accent: shop.accent.is_some(),
            is_named: shop.name.is_some(),
            name,
        }
    }

    fn of_app(app: &App, language: Language) -> Site {
        Site::of(&app.catalog, app.config.stripe.mode() == Some(Mode::Test), language)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Shell {
    pub site: Site,
    /// All words of the page.
    pub language: Language,
    /// Without the program's name.
    pub title: String,
    /// For the hidden field `csrf` of each form. Empty for visitors, who get no forms.
    pub csrf: String,
    /// `None` for visitors.
    pub person: Option<Person>,
    /// Whether the header leads to the operator's pages.
    pub is_operator: bool,
    /// Whether the header offers to sign in. Where the session could not be looked at, it does not.
    pub offers_sign_in: bool,
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
    pub(super) fn anonymous(app: &App, title: &str, language: Language) -> Shell {
        let (site, title) = (Site::of_app(app, language), title.to_owned());
        let (csrf, person) = (String::new(), None);
        Shell { site, language, title, csrf, person, is_operator: false, offers_sign_in: true }
    }

    pub(super) fn signed_in(app: &App, title: &str, signed_in: &SignedIn) -> Result<Shell> {
        let token = form_token(&signed_in.cookie)?;
        let shell = Shell::of_user(app, title, &signed_in.member.user, token, signed_in.language);
        Ok(Shell { is_operator: signed_in.is_operator, ..shell })
    }

    /// For a page of this user's, whose forms bear this token.
    pub(super) fn of_user(app: &App, title: &str, user: &User, token: String, language: Language) -> Shell {
        Shell { csrf: token, person: Some(Person::of(user)), ..Shell::anonymous(app, title, language) }
    }

    /// For a page that both visitors and users see.
    pub(super) fn for_visitor(app: &App, title: &str, visitor: &Visitor) -> Result<Shell> {
        match &visitor.signed_in {
            Some(signed_in) => Shell::signed_in(app, title, signed_in),
            None => Ok(Shell::anonymous(app, title, visitor.language)),
        }
    }

    /// What the switch at the foot of the page offers.
    pub(super) fn other_languages(&self) -> impl Iterator<Item = Language> {
        Language::ALL.into_iter().filter(|language| *language != self.language)
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

    pub(super) fn dashboard(language: Language) -> Link {
        Link::to("/dashboard", language.shell_to_dashboard())
    }

    /// To the app in which the units are used, named by the shop or by its host.
    pub(super) fn to_app(url: &str, name: Option<&str>, language: Language) -> Option<Link> {
        let host = url::Url::parse(url).ok()?.host_str()?.to_owned();
        Some(Link::to(url, &language.shell_open_app(name.unwrap_or(&host))))
    }

    /// Back to where the buyer came from, named by its host. The caller has checked that the origin is allowed. Anything
    /// but an `http` or `https` address is refused here all the same, because a link can also be a script.
    pub(super) fn back_to(return_url: &str, language: Language) -> Option<Link> {
        let url = url::Url::parse(return_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let label = language.shell_back_to(url.host_str()?);
        Some(Link { href: url.into(), label })
    }
}
