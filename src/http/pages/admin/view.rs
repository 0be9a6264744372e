//! What an operator's page is made of. All of them are a row of blocks, which `templates/admin.html` writes: so each looks and
//! reads alike, and a page's own file says only what is on it.

use askama::Template;

use crate::clock::{Timestamp, rfc3339};
use crate::http::pages::shell::{Link, Shell};
use crate::language::Language;

use super::chart::AmountChart;

/// A page of the operator's.
#[derive(Clone, Debug, Template)]
#[template(path = "admin.html")]
pub(in crate::http) struct AdminPage {
    pub shell: Shell,
    pub sections: Vec<SectionLink>,
    /// What the page is about, above the blocks; the shell's title is the browser's.
    pub heading: String,
    /// One sentence under it.
    pub lead: Option<String>,
    /// What an action did, or why it did nothing.
    pub notice: Option<Notice>,
    pub blocks: Vec<Block>,
}

/// A link of the operator's navigation.
#[derive(Clone, Debug)]
pub(in crate::http) struct SectionLink {
    pub link: Link,
    pub is_here: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Mark {
    Good,
    Waiting,
    Bad,
}

impl Mark {
    pub(super) fn class(self) -> &'static str {
        match self {
            Mark::Good => "good",
            Mark::Waiting => "waiting",
            Mark::Bad => "bad",
        }
    }
}

#[derive(Clone, Debug)]
pub(in crate::http) struct Notice {
    pub mark: Mark,
    pub words: String,
}

#[derive(Clone, Debug)]
pub(in crate::http) enum Block {
    Heading(String),
    Text(String),
    /// Figures that are read first.
    Figures(Vec<Figure>),
    Facts(Vec<(String, Cell)>),
    Table(Table),
    Form(ActionForm),
    /// Text as it was received, with its name for those who do not see it.
    Payload(String, String),
    Links(Vec<Link>),
    Chart(AmountChart),
    Notice(Notice),
    /// What is under way, in words: scripts load the page again until it is over.
    Progress(String),
}

impl Block {
    /// Labels with their values.
    pub(super) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, Cell)>) -> Block {
        Block::Facts(facts.into_iter().map(|(label, cell)| (label.to_owned(), cell)).collect())
    }
}

#[derive(Clone, Debug)]
pub(in crate::http) struct Figure {
    pub label: String,
    pub value: String,
    /// What it is made of.
    pub note: Option<String>,
    pub href: Option<String>,
    pub mark: Option<Mark>,
}

impl Figure {
    pub(super) fn new(label: &str, value: String) -> Figure {
        Figure { label: label.to_owned(), value, note: None, href: None, mark: None }
    }

    pub(super) fn noted(self, note: String) -> Figure {
        Figure { note: Some(note), ..self }
    }

    pub(super) fn linked(self, href: &str) -> Figure {
        Figure { href: Some(href.to_owned()), ..self }
    }

    pub(super) fn marked(self, mark: Mark) -> Figure {
        Figure { mark: Some(mark), ..self }
    }
}

/// Rows with the same columns. On a phone each row is a block, with the column's name beside each value.
#[derive(Clone, Debug)]
pub(in crate::http) struct Table {
    pub heading: Option<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// What is said if there are no rows.
    pub empty: String,
    /// The next page.
    pub more: Option<Link>,
}

#[derive(Clone, Debug)]
pub(in crate::http) struct Column {
    pub label: String,
    pub is_number: bool,
}

impl Table {
    pub(super) fn new(columns: &[&str], empty: &str) -> Table {
        let columns = columns.iter().map(|label| Column { label: (*label).to_owned(), is_number: false }).collect();
        Table { heading: None, columns, rows: vec![], empty: empty.to_owned(), more: None }
    }

    /// The columns with these places hold numbers.
    pub(super) fn with_numbers(mut self, places: &[usize]) -> Table {
        for (place, column) in self.columns.iter_mut().enumerate() {
            column.is_number = places.contains(&place);
        }
        self
    }

    pub(super) fn headed(self, heading: &str) -> Table {
        Table { heading: Some(heading.to_owned()), ..self }
    }

    pub(super) fn filled(self, rows: Vec<Vec<Cell>>) -> Table {
        Table { rows, ..self }
    }

    pub(super) fn with_more(self, more: Option<Link>) -> Table {
        Table { more, ..self }
    }

    /// A row's cells with the columns that they stand in.
    pub(super) fn cells<'a>(&'a self, row: &'a [Cell]) -> impl Iterator<Item = (&'a Column, &'a Cell)> {
        self.columns.iter().zip(row)
    }
}

/// A value, and how it is written.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Cell {
    pub text: String,
    pub href: Option<String>,
    /// RFC 3339, for a moment: scripts show it in the reader's time zone.
    pub moment: Option<String>,
    /// An id or a word of the program's.
    pub is_code: bool,
    pub mark: Option<Mark>,
    /// Below it, smaller.
    pub note: Option<String>,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), ..Cell::default() }
    }

    /// A dash for what is absent.
    pub(super) fn maybe(text: Option<impl Into<String>>) -> Cell {
        Cell::text(text.map_or_else(|| "–".to_owned(), Into::into))
    }

    pub(super) fn code(text: impl Into<String>) -> Cell {
        Cell { is_code: true, ..Cell::text(text) }
    }

    pub(super) fn moment(at: Timestamp, language: Language) -> Cell {
        Cell { moment: Some(rfc3339(at)), ..Cell::text(language.time(at)) }
    }

    pub(super) fn moment_or_dash(at: Option<Timestamp>, language: Language) -> Cell {
        at.map_or_else(|| Cell::maybe(None::<String>), |at| Cell::moment(at, language))
    }

    pub(super) fn marked(self, mark: Mark) -> Cell {
        Cell { mark: Some(mark), ..self }
    }

    pub(super) fn linked(self, href: impl Into<String>) -> Cell {
        Cell { href: Some(href.into()), ..self }
    }

    pub(super) fn noted(self, note: Option<impl Into<String>>) -> Cell {
        Cell { note: note.map(Into::into), ..self }
    }
}

/// A form that does something, or searches.
#[derive(Clone, Debug)]
pub(in crate::http) struct ActionForm {
    pub heading: Option<String>,
    pub lead: Option<String>,
    pub action: String,
    /// A search changes nothing, and its address can be kept.
    pub is_search: bool,
    pub hidden: Vec<(&'static str, String)>,
    pub fields: Vec<FormField>,
    pub button: String,
    /// Whether it stands out.
    pub is_main: bool,
    /// Whether what it does is gone for good.
    pub is_irreversible: bool,
    /// What is said in its place where the sign-in is too long ago.
    pub stale: Option<String>,
}

impl ActionForm {
    pub(super) fn new(action: impl Into<String>, button: &str) -> ActionForm {
        ActionForm {
            heading: None,
            lead: None,
            action: action.into(),
            is_search: false,
            hidden: vec![],
            fields: vec![],
            button: button.to_owned(),
            is_main: false,
            is_irreversible: false,
            stale: None,
        }
    }

    pub(super) fn search(action: impl Into<String>, button: &str) -> ActionForm {
        ActionForm { is_search: true, ..ActionForm::new(action, button) }
    }

    pub(super) fn irreversible(self) -> ActionForm {
        ActionForm { is_irreversible: true, ..self }
    }

    pub(super) fn main(self) -> ActionForm {
        ActionForm { is_main: true, ..self }
    }

    pub(super) fn headed(self, heading: &str, lead: &str) -> ActionForm {
        let lead = (!lead.is_empty()).then(|| lead.to_owned());
        ActionForm { heading: Some(heading.to_owned()), lead, ..self }
    }

    pub(super) fn with(mut self, field: FormField) -> ActionForm {
        self.fields.push(field);
        self
    }

    pub(super) fn hiding(mut self, name: &'static str, value: impl Into<String>) -> ActionForm {
        self.hidden.push((name, value.into()));
        self
    }

    /// The reason that each action of an operator's needs.
    pub(super) fn with_reason(self, language: Language) -> ActionForm {
        let field = FormField::text("reason", language.admin_reason()).limited(super::operator::REASON_LIMIT);
        self.with(field.required())
    }

    /// Offered only so long after a sign-in.
    pub(super) fn only_if_fresh(self, is_fresh: bool, language: Language) -> ActionForm {
        ActionForm { stale: (!is_fresh).then(|| language.admin_stale().to_owned()), ..self }
    }
}

/// A field of a form.
#[derive(Clone, Debug)]
pub(in crate::http) struct FormField {
    pub name: &'static str,
    /// Apart from the other forms of the page.
    pub label: String,
    pub kind: FieldKind,
    pub value: String,
    pub limit: usize,
    pub is_required: bool,
}

#[derive(Clone, Debug)]
pub(in crate::http) enum FieldKind {
    /// With HTML's type of the input.
    Line(&'static str),
    Tick,
    /// Values with their words.
    Choice(Vec<(String, String)>),
}

impl FormField {
    fn of(name: &'static str, label: &str, kind: FieldKind) -> FormField {
        let (value, label) = (String::new(), label.to_owned());
        FormField { name, label, kind, value, limit: 200, is_required: false }
    }

    pub(super) fn text(name: &'static str, label: &str) -> FormField {
        FormField::of(name, label, FieldKind::Line("text"))
    }

    pub(super) fn line(name: &'static str, label: &str, kind: &'static str) -> FormField {
        FormField::of(name, label, FieldKind::Line(kind))
    }

    pub(super) fn tick(name: &'static str, label: &str) -> FormField {
        FormField::of(name, label, FieldKind::Tick)
    }

    pub(super) fn choice(name: &'static str, label: &str, choices: Vec<(String, String)>) -> FormField {
        FormField::of(name, label, FieldKind::Choice(choices))
    }

    pub(super) fn required(self) -> FormField {
        FormField { is_required: true, ..self }
    }

    pub(super) fn limited(self, limit: usize) -> FormField {
        FormField { limit, ..self }
    }

    pub(super) fn holding(self, value: impl Into<String>) -> FormField {
        FormField { value: value.into(), ..self }
    }
}
