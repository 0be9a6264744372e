//! What each page shows: plain values with their template. A view is filled by a handler, decides nothing about money
//! or rights, asks neither store nor clock, and knows no request. Its words come from here and from the catalogue.
//!
//! Each struct with a template has the template's name: `dashboard.rs` and `templates/dashboard.html`.

mod dashboard;
mod entries;
mod error;
mod login;
mod offers;
mod pricing;
mod reference;
mod returned;
mod shell;
mod units;
mod words;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use dashboard::{DashboardPage, Notice, NoticeKind, PlanView, SubscriptionView, Trouble};
pub use entries::EntryView;
pub use error::ErrorPage;
pub use login::{LoginPage, LoginState};
pub use offers::{Interval, PackCard, PackOffer, PlanCard, PlanOffer, PlanState, allotment};
pub use pricing::PricingPage;
pub use reference::{
    AnswerView, CallView, Chapter, FieldView, Piece, Reference, ReferencePage, RefusalView, ShapeView, Text,
};
pub use returned::{Outcome, ReturnStatus, ReturnedPage};
pub use shell::{Link, Person, Shell};
pub use units::UnitsView;
pub use words::{Moment, UnitWords};
