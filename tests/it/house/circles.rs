//! No circles: where one file of the program uses another, that one does not use the first, neither directly nor by way of
//! others. Then each file can be read, and changed, with only what it stands on in mind.
//!
//! A file uses the file whose module it names; where that module only re-exports the name, also the file that defines it.
//! What a child uses of the modules around it is not counted, nor what these only re-export of it: a `mod.rs` holds the types
//! and the helpers of its folder. That it calls its children counts. Tests are not looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Path, paths};
use super::rust::Source;
use super::tree::{File, Finding};

type Module = Vec<String>;

/// The program's modules, with what each makes known by `use`.
struct Program<'a> {
    files: BTreeMap<Module, &'a File>,
    code: BTreeMap<Module, String>,
    known: BTreeMap<Module, BTreeMap<String, Module>>,
}

/// Finds rings of files.
pub fn check(files: &[File], found: &mut Vec<Finding>) {
    let program = Program::read(files);
    let uses = program.uses();
    for ring in rings(&uses) {
        let file = program.files[&ring[0]];
        let way: Vec<&str> =
            shortest(&uses, &ring[0]).iter().map(|module| program.files[*module].path.as_str()).collect();
        let what = format!("a circle of {} files, among them {}", ring.len(), way.join(" → "));
        found.push(file.finding(1, what, "move what both need into a file of its own below them"));
    }
}

impl<'a> Program<'a> {
    fn read(files: &'a [File]) -> Program<'a> {
        let mut program = Program { files: BTreeMap::new(), code: BTreeMap::new(), known: BTreeMap::new() };
        for file in files.iter().filter(|file| file.is_rust() && !file.is_tests()) {
            let Some(module) = module_of(&file.path) else { continue };
            program.code.insert(module.clone(), without_tests(&Source::read(file)));
            program.files.insert(module, file);
        }
        for (module, code) in &program.code {
            let named = paths(code)
                .into_iter()
                .filter_map(|path| Some((path.name?.to_owned(), program.absolute(module, &path)?)));
            program.known.insert(module.clone(), named.collect());
        }
        program
    }

    /// Where a path begins from the root of the program; none for one that leads out of it.
    fn absolute(&self, module: &Module, path: &Path<'_>) -> Option<Module> {
        let mut whole = module.clone();
        let mut parts = path.parts.iter().map(|(_, part)| *part).peekable();
        match parts.peek().copied()? {
            "crate" => whole.clear(),
            "self" => {}
            "super" => whole.truncate(whole.len().saturating_sub(1)),
            name if self.code.contains_key(&child(module, name)) => whole.push(name.to_owned()),
            name => whole = self.known.get(module)?.get(name)?.clone(),
        }
        parts.next();
        for part in parts {
            match part {
                "super" => whole.truncate(whole.len().saturating_sub(1)),
                part => whole.push(part.to_owned()),
            }
        }
        Some(whole)
    }

    /// The modules in whose files the path is looked up: the one that it names, and where that only re-exports it, the one
    /// that defines it.
    fn homes(&self, path: &Module, homes: &mut Vec<Module>) {
        let Some(length) = (1..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length])) else {
            return;
        };
        let module = path[..length].to_vec();
        if homes.contains(&module) {
            return;
        }
        let known = path.get(length).and_then(|name| self.known[&module].get(name));
        homes.push(module);
        if let Some(target) = known {
            self.homes(&[target, &path[length + 1..]].concat(), homes);
        }
    }

    /// Which modules' files each one uses.
    fn uses(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let used = |(module, code): (&Module, &String)| {
            let mut homes = Vec::new();
            for path in paths(code) {
                let mut more = Vec::new();
                self.absolute(module, &path).iter().for_each(|path| self.homes(path, &mut more));
                let is_shown = |other: &Module| path.is_public && other.starts_with(module);
                more.retain(|other| !module.starts_with(other) && !is_shown(other));
                homes.append(&mut more);
            }
            (module.clone(), homes.into_iter().collect())
        };
        self.code.iter().map(used).collect()
    }
}

fn child(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// `store::users` for `src/store/users.rs`; none for the two files that hold everything together.
fn module_of(path: &str) -> Option<Module> {
    let name = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let name = name.strip_suffix("/mod").unwrap_or(name);
    (name != "lib" && name != "main").then(|| name.split('/').map(str::to_owned).collect())
}

fn without_tests(source: &Source<'_>) -> String {
    let mut code = source.code.clone();
    for block in source.test_blocks() {
        let blank = " ".repeat(block.len());
        code.replace_range(block, &blank);
    }
    code
}

/// The groups of which each reaches every other, of two or more.
fn rings(uses: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = uses.keys().map(|from| (from, reach(uses, from))).collect();
    let mut rings: Vec<Vec<Module>> = Vec::new();
    for from in uses.keys() {
        let ring = reached[from].iter().filter(|to| reached[*to].contains(from));
        let ring: Vec<Module> = ring.map(|module| (*module).clone()).collect();
        if ring.len() > 1 && ring[0] == *from {
            rings.push(ring);
        }
    }
    rings
}

fn reach<'a>(uses: &'a BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = uses.get(from).into_iter().flatten().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(uses.get(module).into_iter().flatten());
        }
    }
    reached
}

/// The shortest way from a module in a ring back to it.
fn shortest<'a>(uses: &'a BTreeMap<Module, BTreeSet<Module>>, from: &'a Module) -> Vec<&'a Module> {
    let mut ways = vec![vec![from]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in way.last().and_then(|last| uses.get(*last)).into_iter().flatten() {
                let way: Vec<&Module> = way.iter().copied().chain([next]).collect();
                if next == from {
                    return way;
                }
                if seen.insert(next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    vec![from]
}

#[test]
fn a_circle_of_files_is_found() {
    let found = |files: &[(&str, &str)]| {
        let files: Vec<File> = files.iter().map(|(path, text)| File::new(path, text)).collect();
        let mut found = Vec::new();
        check(&files, &mut found);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let a = ("src/a.rs", "use crate::b::go;\n");
    let (c, d) = (("src/m/c.rs", "use crate::d::h;"), ("src/d.rs", "use crate::m::f;"));
    for (what, files, way) in [
        ("two files", vec![a, ("src/b.rs", "fn f() -> super::a::X {}")], "src/a.rs → src/b.rs → src/a.rs"),
        ("one way", vec![a, ("src/b.rs", "use crate::c::X;")], ""),
        (
            "by way of a third",
            vec![a, ("src/b.rs", "use crate::c;"), ("src/c.rs", "use crate::{a::X, d};")],
            "src/c.rs →",
        ),
        (
            "through an alias",
            vec![
                a,
                ("src/b.rs", "use crate::c;\nfn f() { c::d::g() }"),
                ("src/c/mod.rs", ""),
                ("src/c/d.rs", "use crate::a;"),
            ],
            "src/c/d.rs →",
        ),
        (
            "a re-export",
            vec![("src/m/mod.rs", "pub use c::X;"), ("src/m/c.rs", "use super::d;"), ("src/m/d.rs", "use super::X;")],
            "src/m/c.rs → src/m/d.rs",
        ),
        (
            "a child that is called",
            vec![("src/m/mod.rs", "fn f() { c::g() }"), c, d],
            "src/m/mod.rs → src/m/c.rs → src/d.rs",
        ),
        ("a child that is only shown", vec![("src/m/mod.rs", "pub mod c;\npub(crate) use c::g;"), c, d], ""),
        (
            "a child with its parent's type",
            vec![("src/m/mod.rs", "fn f() { c::g(&T) }"), ("src/m/c.rs", "use super::T;")],
            "",
        ),
        ("only in tests", vec![a, ("src/b.rs", "#[cfg(test)]\nmod tests {\n    use crate::a;\n}")], ""),
    ] {
        let found = found(&files);
        assert_eq!(found.len(), usize::from(!way.is_empty()), "{what}: {found:?}");
        assert!(found.iter().all(|found| found.contains(way)), "{what}: {found:?}");
    }
}
