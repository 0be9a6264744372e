//! Makes Rust of the files in `templates/words/`, one file for each language: the type `Language` with one method for each
//! message. So a message costs nothing at run time, and the compiler knows its name and its places. What is wrong in a file
//! ends the build: a message that one language lacks, a place that English does not have, a plural form too few.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use toml::{Table, Value};

/// The language whose file decides which messages there are.
const SOURCE: &str = "en";
/// The plural forms of CLDR ("Plural Rules").
const FORMS: [&str; 6] = ["zero", "one", "two", "few", "many", "other"];
const MONTHS: usize = 12;

struct Messages {
    /// `de`.
    tag: String,
    head: Table,
    /// By section and key: `dashboard_title`.
    texts: BTreeMap<String, Forms>,
}

/// A text for each form of the plural; a message without a plural has the form `other` alone.
type Forms = BTreeMap<String, String>;

/// The Rust source.
pub fn source(folder: &Path) -> Result<String, String> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .map_err(|cause| format!("{}: {cause}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .collect();
    files.sort();
    let mut languages = files.iter().map(|path| read(path)).collect::<Result<Vec<Messages>, String>>()?;
    languages.sort_by_key(|language| (language.tag != SOURCE, language.tag.clone()));
    compare(&languages)?;
    write(&languages)
}

fn read(path: &Path) -> Result<Messages, String> {
    let at = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let text = std::fs::read_to_string(path).map_err(|cause| at(&cause))?;
    let table: Table = text.parse().map_err(|cause: toml::de::Error| at(&cause))?;
    let tag = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let (mut head, mut texts) = (Table::new(), BTreeMap::new());
    for (section, rows) in table {
        let Value::Table(rows) = rows else { return Err(at(&format!("{section} is not in a section"))) };
        if section == "language" {
            head = rows;
            continue;
        }
        for (key, value) in rows {
            let name = format!("{section}_{key}");
            let forms = forms(value).ok_or_else(|| at(&format!("{name} is neither a text nor plural forms")))?;
            texts.insert(name, forms);
        }
    }
    Ok(Messages { tag, head, texts })
}

fn forms(value: Value) -> Option<Forms> {
    match value {
        Value::String(text) => Some(Forms::from([("other".to_owned(), text)])),
        Value::Table(forms) => {
            let forms: Forms =
                forms.into_iter().map(|(form, text)| Some((form, text.as_str()?.to_owned()))).collect::<Option<_>>()?;
            let is_known = forms.keys().all(|form| FORMS.contains(&form.as_str()));
            (is_known && forms.contains_key("other") && forms.len() > 1).then_some(forms)
        }
        _ => None,
    }
}

/// Every language has every message of English, with the same places.
fn compare(languages: &[Messages]) -> Result<(), String> {
    let (first, others) = languages.split_first().ok_or("there is no language")?;
    if first.tag != SOURCE {
        return Err(format!("{SOURCE}.toml is missing"));
    }
    let mut faults = vec![];
    for other in others {
        let file = &other.tag;
        faults.extend(
            first
                .texts
                .keys()
                .filter(|key| !other.texts.contains_key(*key))
                .map(|key| format!("{file}.toml: {key} is missing")),
        );
        for (key, forms) in &other.texts {
            let Some(source) = first.texts.get(key) else {
                faults.push(format!("{file}.toml: {key} is not in {SOURCE}.toml"));
                continue;
            };
            if (source.len() > 1) != (forms.len() > 1) {
                faults.push(format!(
                    "{file}.toml: {key} must have plural forms where {SOURCE}.toml has them, and only there"
                ));
            }
            let (mut expected, mut found) = (places(source), places(forms));
            expected.sort();
            found.sort();
            if expected != found {
                faults.push(format!("{file}.toml: {key} has the places {found:?}; expected {expected:?}"));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The names in braces in the order in which they first stand in the form `other`, then in the others.
fn places(forms: &Forms) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    let texts = forms.get("other").into_iter().chain(forms.values());
    for text in texts {
        let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned());
        for name in names {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

fn write(languages: &[Messages]) -> Result<String, String> {
    let mut code = String::new();
    let variants: Vec<String> = languages.iter().map(|language| variant(&language.tag)).collect();
    let mut line = |text: &str| {
        code.push_str(text);
        code.push('\n');
    };
    line("/// A language that pages and mails are written in; the first is the one where nothing else is wanted.");
    line("#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]");
    line("pub enum Language {");
    for (index, (variant, language)) in variants.iter().zip(languages).enumerate() {
        line(&format!("    /// `{}`.", language.tag));
        if index == 0 {
            line("    #[default]");
        }
        line(&format!("    {variant},"));
    }
    line("}");
    line("impl Language {");
    line("    /// All of them.");
    line(&format!(
        "    pub const ALL: [Language; {}] = [{}];",
        variants.len(),
        variants.iter().map(|name| format!("Language::{name}")).collect::<Vec<_>>().join(", ")
    ));
    line("    fn grammar(self) -> &'static Grammar {");
    line("        match self {");
    for (variant, language) in variants.iter().zip(languages) {
        line(&format!("            Language::{variant} => &{},", grammar(language)?));
    }
    line("        }");
    line("    }");
    for (key, forms) in &languages[0].texts {
        line(&method(key, forms, languages, &variants));
    }
    line("}");
    Ok(code)
}

fn method(key: &str, source: &Forms, languages: &[Messages], variants: &[String]) -> String {
    let is_plural = source.len() > 1;
    let places = places(source);
    let mut code = format!("    /// `{}`\n", source["other"].replace('\n', " "));
    if places.is_empty() && !is_plural {
        let _ = write!(code, "    pub(crate) fn {key}(self) -> &'static str {{\n        match self {{\n");
        for (language, variant) in languages.iter().zip(variants) {
            let _ = writeln!(code, "            Language::{variant} => {:?},", language.texts[key]["other"]);
        }
        code.push_str("        }\n    }");
        return code;
    }
    let mut parameters: Vec<String> = places
        .iter()
        .filter(|name| !is_plural || *name != "count")
        .map(|name| format!("{name}: impl Display"))
        .collect();
    if is_plural {
        parameters.insert(0, "count: impl Borrow<i64>".to_owned());
    }
    let _ = writeln!(code, "    pub(crate) fn {key}(self, {}) -> String {{", parameters.join(", "));
    if is_plural {
        code.push_str("        let form = self.plural_form(*count.borrow());\n");
        if places.iter().any(|name| name == "count") {
            code.push_str("        let count = self.number(*count.borrow());\n");
        }
        code.push_str("        match (self, form) {\n");
    } else {
        code.push_str("        match self {\n");
    }
    for (language, variant) in languages.iter().zip(variants) {
        let texts = &language.texts[key];
        for form in FORMS.iter().filter(|form| texts.contains_key(**form)) {
            let text = &texts[*form];
            let pattern = match (is_plural, *form) {
                (false, _) => format!("Language::{variant}"),
                (true, "other") => format!("(Language::{variant}, _)"),
                (true, form) => format!("(Language::{variant}, PluralForm::{})", self::variant(form)),
            };
            let text = if text.contains('{') { format!("format!({text:?})") } else { format!("{text:?}.to_owned()") };
            let _ = writeln!(code, "            {pattern} => {text},");
        }
    }
    code.push_str("        }\n    }");
    code
}

/// The head of a file: how the language writes numbers, money and dates.
fn grammar(language: &Messages) -> Result<String, String> {
    let tag = &language.tag;
    let word = |key: &str| {
        let text = language.head.get(key).and_then(Value::as_str);
        text.map(|text| format!("{text:?}")).ok_or_else(|| format!("{tag}.toml: language.{key} is missing"))
    };
    let months = |key: &str| {
        let names = language.head.get(key).and_then(Value::as_array);
        let names: Vec<String> =
            names.into_iter().flatten().filter_map(Value::as_str).map(|name| format!("{name:?}")).collect();
        if names.len() == MONTHS {
            Ok(names.join(", "))
        } else {
            Err(format!("{tag}.toml: language.{key} has {} names; expected {MONTHS}", names.len()))
        }
    };
    let plural = language.head.get("plural").and_then(Value::as_str).unwrap_or("one");
    let flag = |key: &str| language.head.get(key).and_then(Value::as_bool).unwrap_or(false);
    Ok(format!(
        "Grammar {{ tag: {tag:?}, name: {}, is_right_to_left: {}, plural: PluralRule::{}, numbers: NumberFormat {{ group: {}, decimal: {}, symbol_after: {}, cents: {} }}, months: [{}], long_months: [{}], date: {}, day: {}, month: {}, time: {} }}",
        word("name")?,
        flag("right_to_left"),
        variant(plural),
        word("group")?,
        word("decimal")?,
        flag("symbol_after"),
        flag("cents"),
        months("months")?,
        months("long_months")?,
        word("date")?,
        word("day")?,
        word("month")?,
        word("time")?,
    ))
}

/// `de` is `De`, `zero_one` is `ZeroOne`.
fn variant(word: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    word.split(['_', '-']).map(part).collect()
}
