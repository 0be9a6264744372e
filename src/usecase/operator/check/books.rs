//! The database beside its working: who may read its files, and what the last comparison with Stripe left in doubt.

use std::path::Path;

use super::finding::{Finding, bad, good, open};
use crate::app::App;
use crate::config::{EnvironmentFile, is_secret};
use crate::private_file::{beside, folder_of, is_open_to_others, lets_others_in};
use crate::usecase::operator::install::CONFIGURATION;
use crate::usecase::stripe_events::payments;
use crate::usecase::stripe_events::reconcile::record;

/// Whether the last comparisons confirmed the payments in the books.
pub(super) fn payments(app: &App) -> Finding {
    let what = "payments";
    let looked = payments::count_in_doubt(app).and_then(|count| Ok((count, record::standing(app)?.0.is_some())));
    match looked {
        Ok((0, true)) => good(what, "none is in doubt after the last comparison with Stripe".to_owned()),
        Ok((0, false)) => open(what, "no comparison with Stripe has ended yet, which would confirm them".to_owned()),
        Ok((count, _)) => bad(what, format!("{count} in the books are not so at Stripe: till payment list shows them")),
        Err(error) => bad(what, error.to_string()),
    }
}

/// Whether the database and the files with secrets are their owner's alone.
pub(super) fn files(app: &App) -> Finding {
    let what = "private files";
    let mut open = app.config.open_files.clone();
    for path in app.store.file().iter().flat_map(|path| ["-wal", "-shm"].map(|suffix| beside(path, suffix))) {
        if is_open_to_others(&path) {
            open.push(format!("{} can be read or changed by everybody: chmod 600 {}", path.display(), path.display()));
        }
    }
    open.extend(open_environment_file(Path::new("/")));
    match open.is_empty() {
        true => good(what, "are their owner's alone".to_owned()),
        false => bad(what, open.join("; ")),
    }
}

/// The service's environment file below this root, if it has secrets and everybody can read it.
fn open_environment_file(root: &Path) -> Option<String> {
    let path = root.join(CONFIGURATION);
    if !is_open_to_others(&path) || !lets_others_in(folder_of(&path)) {
        return None;
    }
    let variables = EnvironmentFile::parse(&std::fs::read_to_string(&path).ok()?).variables();
    let secret = variables.iter().find(|(name, value)| is_secret(name) && !value.is_empty())?.0;
    let path = path.display();
    Some(format!("{path} has {secret}, and can be read or changed by everybody: chmod 640 {path}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_environment_file_with_secrets_is_not_for_everybody() {
        let root = std::env::temp_dir().join(crate::id::secret("till-check-").unwrap());
        let path = root.join(CONFIGURATION);
        let folder = folder_of(&path);
        std::fs::create_dir_all(folder).unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        for (text, of_folder, of_file, is_open) in [
            ("SPRITE_STRIPE_SECRET_KEY=sk_test_1\n", 0o755, 0o644, true),
            ("SPRITE_STRIPE_SECRET_KEY=sk_test_1\n", 0o755, 0o640, false),
            ("SPRITE_STRIPE_SECRET_KEY=sk_test_1\n", 0o750, 0o644, false),
            ("SPRITE_STRIPE_SECRET_KEY=\nSPRITE_LOG=debug\n", 0o755, 0o644, false),
        ] {
            std::fs::write(&path, text).unwrap();
            mode(folder, of_folder);
            mode(&path, of_file);
            let said = open_environment_file(&root);
            assert_eq!(said.is_some(), is_open, "{text} {of_folder:o} {of_file:o}: {said:?}");
            assert!(said.is_none_or(|said| said.contains("has SPRITE_STRIPE_SECRET_KEY") && !said.contains("sk_test")));
        }
        std::fs::remove_dir_all(root).unwrap();
    }
}
