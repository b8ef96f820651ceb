//! Histories: recorded as Temporal exports them, and replayed by Temporal's own Core.

use std::{fs, path::Path, sync::OnceLock};

use temporalio_protos::temporal::api::history::v1::History;
use tenterhook_domain::{Error, Scope, limit::Limits, replay::Verdict};
use tenterhook_worker::{Candidate, Recorded, Replayer, export_history};

use crate::{ended::Ended, lab::lab, plugin::Plugin, world::NAMESPACE};

/// With it in the environment, recorded histories are written instead of replayed.
const REWRITE: &str = "TENTERHOOK_REWRITE";
const JSON: &str = "json";
/// Whose histories they are taken for that do not say it.
const SCOPE: &str = "acme/test";

fn replayer() -> Result<&'static Replayer, Error> {
    static REPLAYER: OnceLock<Replayer> = OnceLock::new();
    if let Some(replayer) = REPLAYER.get() {
        return Ok(replayer);
    }
    let replayer = Replayer::start(NAMESPACE)?;
    Ok(REPLAYER.get_or_init(|| replayer))
}

impl Plugin {
    /// Replays the history in `file` (as `temporal workflow show --output json` writes it, or [`Ended::fixture`]) on this
    /// plugin's code, by the code that checks releases on a host.
    ///
    /// # Errors
    /// Where the code does something else than the history says.
    ///
    /// # Panics
    /// When the file is no history.
    pub fn replay(&self, file: impl AsRef<Path>) -> Result<(), String> {
        let file = file.as_ref();
        let json = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.replay_json(&file.display().to_string(), &json)
    }

    /// Replays every history in `folder`, and answers how many there are.
    ///
    /// # Panics
    /// With the first one that this code does not repeat; when there is none.
    #[track_caller]
    pub fn replay_all(&self, folder: impl AsRef<Path>) -> usize {
        let folder = folder.as_ref();
        let entries =
            fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<_> = files
            .filter(|file| file.extension().is_some_and(|it| it == JSON))
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{}: no histories", folder.display());
        for file in &files {
            if let Err(difference) = self.replay(file) {
                panic!("{}: {difference}", file.display());
            }
        }
        files.len()
    }

    pub(crate) fn replay_json(&self, name: &str, json: &[u8]) -> Result<(), String> {
        let recorded =
            Recorded::of_export(name, json).unwrap_or_else(|error| panic!("{name}: {error}"));
        let scope: Scope = SCOPE
            .parse()
            .unwrap_or_else(|error| panic!("{SCOPE:?}: {error}"));
        let candidate = Candidate::new(
            scope,
            self.plugin_name().clone(),
            self.component().clone(),
            self.metadata(),
            Limits::default(),
        );
        let replayed = lab().wait(async move { replayer()?.replay(&candidate, &recorded).await });
        let replayed = replayed.unwrap_or_else(|error| panic!("{name}: {error}"));
        match replayed.verdict {
            Verdict::Same => Ok(()),
            Verdict::Diverges {
                event,
                expected,
                actual,
            } => Err(format!(
                "at event {event} the history has {expected}, and the code {actual}"
            )),
            Verdict::TaskFailed { code, message } => {
                Err(format!("the code fails a task with {code}: {message}"))
            }
            Verdict::NotApplicable { why } => Err(why),
        }
    }
}

impl Ended {
    /// The history of each run, as `temporal workflow show --output json` writes it: first the execution's own, in the
    /// order in which they began, children among them.
    pub fn histories(&self) -> Vec<String> {
        let all = self.recorded();
        let json = all.map(|events| {
            let history = History {
                events: events.to_vec(),
            };
            export_history(&history)
                .unwrap_or_else(|error| panic!("a history cannot be written: {error}"))
        });
        json.collect()
    }

    /// Holds that the history in `file`, recorded by this same test some time ago, replays on the code as it is now. With
    /// `TENTERHOOK_REWRITE=1` in the environment, the history of the execution's first run is written there instead.
    ///
    /// # Panics
    /// When it does not replay, or is not there yet.
    #[track_caller]
    pub fn fixture(&self, file: impl AsRef<Path>) -> &Self {
        let file = file.as_ref();
        if std::env::var_os(REWRITE).is_some() {
            let folder = file.parent().unwrap_or(file);
            let written = fs::create_dir_all(folder)
                .and_then(|()| fs::write(file, self.histories().swap_remove(0) + "\n"));
            written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            return self;
        }
        assert!(
            file.is_file(),
            "{} is not there: run this test once with {REWRITE}=1",
            file.display()
        );
        if let Err(difference) = self.plugin().replay(file) {
            panic!(
                "{}: {difference}; executions that began before this change would not go on: keep the old way for them \
                 by a patch, or, where there are none, record it anew with {REWRITE}=1",
                file.display()
            );
        }
        self
    }
}
