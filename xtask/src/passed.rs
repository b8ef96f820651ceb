//! What passed before on the very files that stand here, so that nothing is checked twice.
//!
//! A check that passed is remembered in the target folder with the fingerprint of all files of the repository, committed or
//! not, and of the compiler. It is run again as soon as any of them is another, for what a test of the whole system looks at
//! is the whole repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::step;
use crate::totals::Totals;
use crate::workspace::Workspace;

/// The folder of what is remembered, under the target folder.
const FOLDER: &str = "xtask-passed";

/// What is remembered of the checks.
pub(crate) struct Passed<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
    /// Of the files as they were at the start; nothing where git does not say.
    files: Option<String>,
    /// Everything is to be checked, whatever is remembered.
    again: bool,
    /// Of checks that run beside one another only one looks at the files at a time: git has one index.
    looking: Mutex<()>,
}

impl<'a> Passed<'a> {
    /// Looks at the files. With `again`, nothing counts as checked before.
    ///
    /// # Errors
    /// When the target folder cannot be written.
    pub(crate) fn look(workspace: &'a Workspace, again: bool) -> anyhow::Result<Self> {
        let folder = workspace.target.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            workspace,
            files: fingerprint(&workspace.root, &folder),
            folder,
            again,
            looking: Mutex::new(()),
        })
    }

    /// Runs the check of this name, unless it passed on the same files. Answers what passed and failed, now or then.
    ///
    /// # Errors
    /// Those of the check.
    pub(crate) fn check(
        &self,
        name: &str,
        run: impl FnOnce() -> anyhow::Result<Totals>,
    ) -> anyhow::Result<Totals> {
        let kept = self.folder.join(format!("{name}.json"));
        let then = self.files.as_ref().and_then(|files| recall(&kept, files));
        if let Some(passed) = then.filter(|_| !self.again) {
            step::say(&format!(
                "{name}: passed before on the same files, is not run again (`--again` does)"
            ));
            return Ok(Totals { passed, failed: 0 });
        }
        let totals = run()?;
        // Whoever edits while tests run does not know what they ran on.
        if totals.failed == 0
            && let Some(files) = &self.files
            && self.look_again().as_ref() == Some(files)
        {
            remember(&kept, files, totals.passed)?;
        }
        Ok(totals)
    }

    fn look_again(&self) -> Option<String> {
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        fingerprint(&self.workspace.root, &self.folder)
    }
}

/// How many tests passed on these files.
fn recall(kept: &Path, files: &str) -> Option<u64> {
    let kept: Value = serde_json::from_slice(&fs::read(kept).ok()?).ok()?;
    (kept["files"] == files)
        .then(|| kept["passed"].as_u64())
        .flatten()
}

fn remember(kept: &Path, files: &str, passed: u64) -> anyhow::Result<()> {
    let text = json!({ "files": files, "passed": passed }).to_string();
    // Renamed into place: what is cut off half-way is not there.
    let fresh = kept.with_extension("new");
    fs::write(&fresh, text)
        .and_then(|()| fs::rename(&fresh, kept))
        .with_context(|| format!("cannot write {}", kept.display()))
}

/// The names and contents of all files that git tracks or would, where they lie, and the compiler. `None` where git does not
/// say: then nothing is known to be the same.
///
/// It is git's own name for such a tree, by an index and objects beside the repository's, which are left as they are.
fn fingerprint(root: &Path, folder: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(root);
        git
    };
    let objects = step::answer(&mut git(&["rev-parse", "--git-path", "objects"]))?;
    let index = folder.join("index");
    let own_objects = folder.join("objects");
    fs::create_dir_all(&own_objects).ok()?;
    let beside = |mut git: Command| {
        git.env("GIT_INDEX_FILE", &index)
            .env("GIT_OBJECT_DIRECTORY", &own_objects)
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", root.join(&objects));
        step::answer(&mut git)
    };
    beside(git(&["add", "--all"]))?;
    let tree = beside(git(&["write-tree"]))?;
    let mut rustc = Command::new("rustc");
    let compiler = step::answer(rustc.arg("-vV").current_dir(root))?;
    Some(format!("{tree} in {}, {compiler}", root.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_run_again_once_any_file_is_another() {
        let scratch = std::env::temp_dir().join(format!("xtask-passed-{}", std::process::id()));
        let root = scratch.join("repository");
        fs::create_dir_all(&root).expect("a folder");
        let workspace = Workspace::at(&root, &scratch.join("target"));
        let init = step::answer(Command::new("git").arg("init").current_dir(&root));
        init.expect("git");
        fs::write(root.join("file"), "one").expect("written");

        let runs = std::cell::Cell::new(0);
        let check = |again: bool, failed: u64| {
            let passed = Passed::look(&workspace, again).expect("a folder");
            let run = || {
                runs.set(runs.get() + 1);
                Ok(Totals { passed: 7, failed })
            };
            let totals = passed.check("it", run).expect("runs");
            (totals.passed, totals.failed, runs.get())
        };
        assert_eq!(check(false, 1), (7, 1, 1));
        assert_eq!(check(false, 0), (7, 0, 2), "what failed is run again");
        assert_eq!(check(false, 0), (7, 0, 2), "what passed is remembered");
        assert_eq!(check(true, 0), (7, 0, 3), "unless it is wished for");
        fs::write(root.join("file"), "two").expect("written");
        assert_eq!(check(false, 0), (7, 0, 4), "a file was changed");
        fs::write(root.join("new"), "").expect("written");
        assert_eq!(check(false, 0), (7, 0, 5), "a file is new");
        assert_eq!(check(false, 0), (7, 0, 5), "all is as it was");

        let passed = Passed::look(&workspace, true).expect("a folder");
        let edited = || {
            fs::write(root.join("file"), "three").expect("written");
            Ok(Totals::default())
        };
        passed.check("it", edited).expect("runs");
        assert_eq!(check(false, 0), (7, 0, 6), "it was edited meanwhile");
        fs::remove_dir_all(&scratch).expect("removed");
    }
}
