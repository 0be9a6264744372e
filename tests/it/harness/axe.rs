//! axe-core, Deque's judge of whether people with disabilities can use a page (WCAG 2.2, and what it calls good practice).

use std::cell::Cell;

use super::chromium::Chromium;
use super::npm::npm;

const LIBRARY: &str = "axe-core@4.14.1";

/// How a page is looked at: as wide as a phone and as a desktop, light and dark. From one to the next one thing changes,
/// because each change takes the driver a tenth of a second.
const VIEWS: [(u32, &str); 4] = [(390, "light"), (390, "dark"), (1280, "dark"), (1280, "light")];

/// All rules, with the one on the size of what is pressed (WCAG 2.2, 2.5.8), which has to be asked for. It looks at our
/// stylesheets where they are shown, and loads nothing by itself.
const JUDGE: &str = "axe.run(document, { resultTypes: ['violations'], preload: false, rules: {
    'target-size': { enabled: true }, 'region': { enabled: IS_PAGE }, 'landmark-one-main': { enabled: IS_PAGE } } })
    .then((found) => found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`)).join('\\n'))";

/// The judge in a browser.
pub struct Axe {
    /// How pages are shown now.
    view: Cell<Option<(u32, &'static str)>>,
}

impl Axe {
    /// Gives the library to each page that the browser opens from now on, past its content security policy. None where npm
    /// cannot give it.
    pub fn begin(chromium: &Chromium) -> Option<Axe> {
        let folder = npm(LIBRARY, "the judge of accessible pages")?;
        let source = std::fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js")).unwrap();
        chromium.run_on_every_page(&source);
        Some(Axe { view: Cell::new(None) })
    }

    /// Finds nothing on the page that is shown.
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
        let mut views = VIEWS;
        if self.view.get() == VIEWS.last().copied() {
            views.reverse();
        }
        for (width, scheme) in views {
            let now = self.view.replace(Some((width, scheme)));
            if now.is_none_or(|(shown, _)| shown != width) {
                chromium.resize(width);
            }
            if now.is_none_or(|(_, shown)| shown != scheme) {
                chromium.set_scheme(scheme);
            }
            assert_eq!(chromium.ask_later(judge), "", "{page}, {scheme}, {width} px wide");
        }
    }
}
