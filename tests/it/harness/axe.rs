//! axe-core, Deque's judge of whether people with disabilities can use a page (WCAG 2.2, and what it calls good practice).

use super::chromium::Chromium;
use super::npm::npm;

const LIBRARY: &str = "axe-core@4.14.1";

/// The widths of a phone and of a desktop.
const WIDTHS: [u32; 2] = [390, 1280];

/// All rules, with the one on the size of what is pressed (WCAG 2.2, 2.5.8), which has to be asked for. It looks at our
/// stylesheets where they are shown, and loads nothing by itself.
const JUDGE: &str = "axe.run(document, { resultTypes: ['violations'], preload: false, rules: {
    'target-size': { enabled: true }, 'region': { enabled: IS_PAGE }, 'landmark-one-main': { enabled: IS_PAGE } } })
    .then((found) => found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`)).join('\\n'))";

/// The library's source, which each page gets from the developer tools, past its content security policy.
pub struct Axe {
    source: String,
}

impl Axe {
    /// None where npm cannot give it.
    pub fn fetch() -> Option<Axe> {
        let folder = npm(LIBRARY, "the judge of accessible pages")?;
        let source = std::fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js")).unwrap();
        Some(Axe { source: format!("{source}; ''") })
    }

    /// Finds nothing on the page that is shown: on a phone and a desktop, in the light and in the dark.
    #[track_caller]
    pub fn find_nothing(&self, chromium: &Chromium, page: &str) {
        self.look(chromium, page, &JUDGE.replace("IS_PAGE", "true"));
    }

    /// The same for a letter, which is part of a page of the mail program's: the landmarks are there.
    #[track_caller]
    pub fn find_nothing_in_letter(&self, chromium: &Chromium, letter: &str) {
        self.look(chromium, letter, &JUDGE.replace("IS_PAGE", "false"));
    }

    #[track_caller]
    fn look(&self, chromium: &Chromium, page: &str, judge: &str) {
        chromium.wait_until_loaded();
        chromium.ask(&self.source);
        for width in WIDTHS {
            chromium.resize(width);
            for scheme in ["light", "dark"] {
                chromium.set_scheme(scheme);
                assert_eq!(chromium.ask_later(judge), "", "{page}, {scheme}, {width} px wide");
            }
        }
    }
}
