//! `GET /admin/health`: the machine and the files; all that `till check` looks at, by a button, because it sends probes.

use axum::extract::State;

use super::operator::{Operator, Press};
use super::view::{ActionForm, AdminPage, Block, Cell, Mark, Table};
use super::{Section, page};
use crate::app::App;
use crate::error::Result;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::usecase::audit;
use crate::usecase::operator::check::{self, Finding, Verdict};
use crate::usecase::operator::status;

const PATH: &str = "/admin/health";

pub(crate) async fn show(State(state): State<AppState>, operator: Operator) -> HandlerResult {
    Ok(state.run(Pool::Db, move |app| shown(app, &operator, None)?.answer()).await?)
}

fn shown(app: &App, operator: &Operator, findings: Option<Vec<Finding>>) -> Result<AdminPage> {
    let language = operator.language();
    let found = status::machine(app)?;
    let commits = app.metrics.commit_times()?;
    let bytes = |bytes: u64| Cell::text(language.admin_bytes(tenths(bytes, language)));
    let seconds = |seconds: Option<f64>| {
        Cell::maybe(seconds.map(|seconds| language.admin_millis(format!("{:.1}", seconds * 1000.0))))
    };
    let is_file = app.store.file().is_some();
    let facts = [
        (language.admin_version_of_till(), Cell::code(env!("TILL_VERSION"))),
        (language.admin_process(), Cell::maybe(found.served_by.as_ref())),
        (
            language.admin_database(),
            Cell::code(app.store.database().to_string()).noted(Some(app.store.engine().name())),
        ),
        (language.admin_file(), bytes(found.database_bytes)),
        (language.admin_log(), bytes(found.log_bytes)),
        (
            language.admin_backup(),
            match &found.backup {
                Some(last) => Cell::moment(last.made_at, language).noted(Some(&last.place)),
                None => Cell::maybe(None::<String>),
            },
        ),
        (language.admin_commits(), Cell::text(language.number(commits.count))),
        (language.admin_commit_mean(), seconds(commits.mean)),
        (language.admin_commit_slow(), seconds(commits.slow)),
        (language.admin_commit_writes(), Cell::maybe(commits.writes.map(|writes| format!("{writes:.1}")))),
        (
            language.admin_newest_event(),
            match &found.newest_event {
                Some((at, kind)) => Cell::moment(*at, language).noted(Some(kind)),
                None => Cell::maybe(None::<String>),
            },
        ),
        (
            language.admin_clock(),
            match &found.clock_fault {
                Some(fault) => Cell::text(fault).marked(Mark::Bad),
                None => Cell::text(language.admin_good()).marked(Mark::Good),
            },
        ),
    ];
    // A server has no log beside a file, and its backups are not ours.
    let of_file = [language.admin_log(), language.admin_backup()];
    let facts = facts.into_iter().filter(|(label, _)| is_file || !of_file.contains(label));
    let mut blocks = vec![Block::facts(facts)];
    match findings {
        Some(findings) => blocks.push(table(&findings, language)),
        None => {
            let form = ActionForm::new(PATH, language.admin_check()).main();
            let form = form.headed(language.admin_check(), language.admin_check_lead());
            blocks.push(Block::Form(form.with_reason(language)));
        }
    }
    Ok(page(app, operator, Section::Health, language.admin_health(), blocks)?.led(language.admin_health_lead()))
}

/// Mebibytes with one decimal.
fn tenths(bytes: u64, language: Language) -> String {
    let tenths = i64::try_from(bytes.saturating_mul(10) / (1024 * 1024)).unwrap_or(i64::MAX);
    language.decimal(tenths / 10, tenths % 10)
}

fn table(findings: &[Finding], language: Language) -> Block {
    let columns = [language.admin_what(), language.admin_state(), language.admin_detail()];
    let rows = findings.iter().map(|finding| {
        let state = match finding.verdict {
            Verdict::Good => Cell::text(language.admin_good()).marked(Mark::Good),
            Verdict::Bad => Cell::text(language.admin_bad()).marked(Mark::Bad),
            Verdict::Warning => Cell::text(language.admin_warning()).marked(Mark::Waiting),
            Verdict::Open => Cell::text(language.admin_open()).marked(Mark::Waiting),
        };
        vec![Cell::text(&finding.what), state, Cell::text(&finding.detail)]
    });
    Block::Table(Table::new(&columns, "").headed(language.admin_check()).filled(rows.collect()))
}

/// `POST /admin/health`: looks at everything, as `till check` does.
pub(crate) async fn check(mut press: Press) -> HandlerResult {
    press.form().await?;
    let Press { state, operator, .. } = press;
    let check = move |app: &App| {
        audit::record_look(app, "health_checked", "server")?;
        let findings = check::check(app);
        shown(app, &operator, Some(findings))?.answer()
    };
    Ok(state.run(Pool::Stripe, check).await?)
}
