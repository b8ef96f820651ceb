//! The example plugins in other languages than Rust: their tools from npm and PyPI, pinned, in the cache; their
//! components beside the guests.
//!
//! They are built as a newcomer builds them, by the commands that their READMEs give, in a copy under the target
//! folder: what tools leave behind stays out of the repository.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::workspace::Workspace;
use crate::{package, step};

/// Where they are, under the root; and where the copy is, under its own.
const EXAMPLES: &str = "plugins/examples";
/// What they implement, under the root.
const WIT: &str = "wit";
/// What tools leave behind when somebody builds in the repository.
const LEFT_BEHIND: [&str; 5] = ["node_modules", "types", "bindings", ".venv", "__pycache__"];

/// One example.
struct Example<'a> {
    workspace: &'a Workspace,
    /// Its folder under [`EXAMPLES`].
    folder: &'static str,
    /// The component that its build writes, without `.wasm`.
    component: &'static str,
}

/// Builds every example that changed.
///
/// # Errors
/// A tool that is missing and cannot be installed here, or a build that fails.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    let folder = workspace.guests_folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let example = |folder, component| Example {
        workspace,
        folder,
        component,
    };
    example("typescript", "receipts").build(|example, copy| {
        let tools = npm_tools(example)?;
        let link = copy.join("node_modules");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&tools, &link).context("cannot link the tools")?;
        let mut npm = Command::new("npm");
        npm.args(["run", "--silent", "build"]).current_dir(copy);
        step::run_silent("build the example plugin in TypeScript", &mut npm)
    })?;
    example("python", "forecast").build(|example, copy| {
        let program = pypi_tools(example)?;
        let mut python = Command::new(program);
        python
            .args(["--quiet", "--wit-path", "../../../wit"])
            .args(["--world", "activities-only"])
            .args(["componentize", example.component, "--output"])
            .arg(example.file())
            .current_dir(copy);
        step::run_silent("build the example plugin in Python", &mut python)
    })
}

impl Example<'_> {
    fn source(&self) -> PathBuf {
        self.workspace.root.join(EXAMPLES).join(self.folder)
    }

    fn file(&self) -> String {
        format!("{}.wasm", self.component)
    }

    /// Builds in a copy, unless what is there was built from the same files.
    fn build(&self, build: impl FnOnce(&Self, &Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let wit = self.workspace.root.join(WIT);
        let inputs = format!("{:016x}", hash_of(&[self.source(), wit.clone()])?);
        let component = self.workspace.guests_folder().join(self.file());
        let stamp = component.with_extension("inputs");
        if component.is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == inputs) {
            return Ok(());
        }
        let room = self.workspace.target.join("examples");
        let copy = room.join(EXAMPLES).join(self.folder);
        copy_tree(&wit, &room.join(WIT))?;
        let _ = fs::remove_dir_all(&copy);
        copy_tree(&self.source(), &copy)?;
        build(self, &copy)?;
        let fresh = component.with_extension("wasm.new");
        let built = copy.join(self.file());
        fs::copy(&built, &fresh).with_context(|| format!("no {} was built", built.display()))?;
        fs::rename(&fresh, &component).context("cannot put the component in place")?;
        fs::write(stamp, inputs).context("cannot write down what was built")
    }

    /// Where the tools of the lock file `lock` are kept, for all clones that have the same one.
    fn tools(&self, lock: &str) -> anyhow::Result<PathBuf> {
        let hash = hash_of(&[self.source().join(lock)])?;
        let name = format!("{}-{hash:016x}", self.folder);
        Ok(self.workspace.cache.join("tools").join(name))
    }
}

/// The `node_modules` of an example, installed once by its lock file.
fn npm_tools(example: &Example<'_>) -> anyhow::Result<PathBuf> {
    if step::answer(Command::new("npm").arg("--version")).is_none() {
        package::install("npm", "an example plugin is written in TypeScript")?;
    }
    let folder = example.tools("package-lock.json")?;
    let modules = folder.join("node_modules");
    let ready = folder.join("ready");
    if ready.is_file() {
        return Ok(modules);
    }
    fs::create_dir_all(&folder).context("cannot make a folder for npm's tools")?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(example.source().join(name), folder.join(name))
            .with_context(|| format!("cannot copy {name}"))?;
    }
    let mut npm = Command::new("npm");
    // None of them needs a script of its own to be installed. Not `npm ci`: it refuses a lock file without the programs of
    // other systems, of which not every registry has all. The versions and hashes of the lock file hold all the same.
    npm.args(["install", "--no-save", "--ignore-scripts"])
        .args(["--no-audit", "--no-fund"])
        .args(["--loglevel", "error"])
        .current_dir(&folder);
    step::run_silent(
        "install jco and TypeScript from npm: they make components (once)",
        &mut npm,
    )?;
    fs::write(ready, "").context("cannot write down that npm's tools are there")?;
    Ok(modules)
}

/// componentize-py, installed once by the example's lock file.
fn pypi_tools(example: &Example<'_>) -> anyhow::Result<PathBuf> {
    let folder = example.tools("requirements.txt")?;
    let program = folder.join("bin/componentize-py");
    let works = || step::answer(Command::new(&program).arg("--version")).is_some();
    if works() {
        return Ok(program);
    }
    let mut python = Command::new("python3");
    step::run(
        "make a Python environment for componentize-py (Debian: apt install python3-venv)",
        python.args(["-m", "venv", "--clear"]).arg(&folder),
    )?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"])
        .args(["--require-hashes", "--requirement"])
        .arg(example.source().join("requirements.txt"));
    step::run(
        "install componentize-py from PyPI: it makes components (once)",
        &mut pip,
    )?;
    ensure!(works(), "{} does not run", program.display());
    Ok(program)
}

/// A hash of the names and contents of all files at and below `paths`.
fn hash_of(paths: &[PathBuf]) -> anyhow::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        for (name, file) in files_of(path)? {
            name.hash(&mut hasher);
            fs::read(&file)
                .with_context(|| format!("cannot read {}", file.display()))?
                .hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    for (name, file) in files_of(from)? {
        let to = to.join(name);
        let folder = to.parent().context("a file has no folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::copy(&file, &to))
            .with_context(|| format!("cannot copy {} to {}", file.display(), to.display()))?;
    }
    Ok(())
}

/// All files at and below `root`, by their path under it, in order; without what tools leave behind.
fn files_of(root: &Path) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    if root.is_file() {
        return Ok(vec![(PathBuf::new(), root.to_owned())]);
    }
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry.context("cannot read a folder")?;
            let path = entry.path();
            let name = entry.file_name();
            if LEFT_BEHIND.iter().any(|left| name == *left)
                || path.extension().is_some_and(|kind| kind == "wasm")
            {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.strip_prefix(root)?.to_owned(), path));
            }
        }
    }
    files.sort();
    Ok(files)
}
