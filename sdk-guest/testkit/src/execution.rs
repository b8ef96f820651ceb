//! An execution under test: moved on by the test, or to its end.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use temporalio_protos::temporal::api::{common::v1::Payload, failure::v1::Failure as Proto};

use crate::{
    agenda::{Due, RunKey},
    ended::Ended,
    episode::End,
    failure::Failure,
    journal::Step,
    message::Message,
    payload,
    setup::Setup,
    sweep,
    world::World,
};

/// An execution that a test has started.
pub struct Execution {
    world: World,
    root: RunKey,
    said: u64,
}

impl Execution {
    pub(crate) fn start(setup: Arc<Setup>, name: &str, id: &str, input: Vec<Payload>) -> Self {
        let mut world = World::new(setup);
        let root = world.start_root(name, id, input);
        Self {
            world,
            root,
            said: 0,
        }
    }

    /// Says `message` to it at `time` after its start.
    pub fn at(&mut self, time: Duration, message: Message) -> &mut Self {
        let at = self.world.setup.begins + time;
        self.world.agenda.plan(at, Due::Say(self.root, message));
        self
    }

    /// Says `message` to it as soon as the step `name` (an activity, a child workflow) has ended for the first time.
    pub fn after(&mut self, name: &str, message: Message) -> &mut Self {
        let planned = self.world.planned_after.entry(name.to_owned());
        planned.or_default().push((self.root, message));
        self
    }

    /// Lets `time` pass.
    pub fn advance(&mut self, time: Duration) -> &mut Self {
        let until = self.world.now + time;
        while self.world.step(until) {}
        self.world.now = until;
        self
    }

    /// Lets everything happen that takes no time.
    pub fn settle(&mut self) -> &mut Self {
        self.advance(Duration::ZERO)
    }

    /// Lets things happen until an attempt of the activity `name` has been run.
    ///
    /// # Panics
    /// When the execution ends, or waits for ever, before that.
    pub fn until_called(&mut self, name: &str) -> &mut Self {
        loop {
            let mut steps = self.world.journal.steps.iter();
            if steps.any(|step| step.name == name && !step.attempts.is_empty()) {
                return self;
            }
            assert!(
                self.world.step(Duration::MAX),
                "{name} is never called: {}",
                self.state()
            );
        }
    }

    /// Signals it, now.
    pub fn signal(&mut self, name: &str, input: &(impl Serialize + ?Sized)) -> &mut Self {
        self.world.say(self.root, Message::signal(name, input));
        self
    }

    /// Asks it to be cancelled, now.
    pub fn cancel(&mut self) -> &mut Self {
        self.world.say(self.root, Message::cancel());
        self
    }

    /// Loses its worker, now: the instance is made again from history when it is needed.
    pub fn crash(&mut self) -> &mut Self {
        self.world.say(self.root, Message::crash());
        self
    }

    /// Asks it the query `name`, now.
    ///
    /// # Errors
    /// What the workflow says against it.
    ///
    /// # Panics
    /// When the answer is no `T`.
    pub fn query<T: DeserializeOwned>(
        &mut self,
        name: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<T, Failure> {
        let answer = self.world.ask(self.root, name, payload::argument(input));
        typed(name, answer.map_err(|failure| *failure))
    }

    /// Sends it the update `name`, now, and lets things happen until it is answered.
    ///
    /// # Errors
    /// The validator's rejection, or the handler's failure.
    ///
    /// # Panics
    /// When it is never answered, or the answer is no `T`.
    pub fn update<T: DeserializeOwned>(
        &mut self,
        name: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<T, Failure> {
        self.said += 1;
        let id = format!("{name}-{}", self.said);
        self.world
            .say(self.root, Message::update(id.clone(), name, input));
        loop {
            if let Some(answer) = self.world.updates.get(&id) {
                return typed(name, answer.clone());
            }
            assert!(
                self.world.step(Duration::MAX),
                "update {name} is never answered: {}",
                self.state()
            );
        }
    }

    /// What the workflow last said of itself by its current details.
    pub fn current_details(&self) -> Option<&str> {
        let run = self.world.last_of(self.root);
        self.world.runs[run].run.current_details()
    }

    /// The steps taken so far.
    pub fn steps(&self) -> &[Step] {
        &self.world.journal.steps
    }

    /// Workflow time since the start.
    pub fn elapsed(&self) -> Duration {
        self.world.elapsed()
    }

    /// True while it has not ended.
    pub fn is_open(&self) -> bool {
        let run = self.world.last_of(self.root);
        self.world.runs[run].is_open()
    }

    /// Lets things happen until it has ended, and what it left behind has ended too; then has everything done a second
    /// time, to see whether the code does the same.
    ///
    /// # Panics
    /// When it waits for what nobody will do; when a workflow task fails, which on a host is tried until somebody
    /// mends the code; when the second run differs from the first.
    pub fn finish(mut self) -> Ended {
        while self.world.step(Duration::MAX) {}
        self.done()
    }

    /// The same, and lets at most `time` pass since the start. It need not have ended then.
    ///
    /// # Panics
    /// As [`Self::finish`], but for an execution that waits.
    pub fn finish_within(mut self, time: Duration) -> Ended {
        let until = self.world.setup.begins + time;
        while self.world.step(until) {}
        self.world.now = until;
        self.check();
        Ended::new(self.world, self.root)
    }

    fn done(self) -> Ended {
        self.check();
        assert!(
            !self.is_open(),
            "the workflow waits for what nobody will do: {}",
            self.state()
        );
        Ended::new(self.world, self.root)
    }

    fn check(&self) {
        sweep::see(self.world.setup.seen.as_ref(), self.steps());
        for (key, run) in self.world.runs.iter().enumerate() {
            let id = self.world.workflow_id(key);
            if let Some(End::Stuck { code, message }) = &run.end {
                panic!(
                    "a task of workflow {id} ({}) fails with {code}: {message}",
                    run.type_name
                );
            }
            if self.world.setup.repeats
                && let Err(difference) = self.world.repeat(key)
            {
                panic!(
                    "workflow {id} ({}) does not do the same when it is repeated: {difference}",
                    run.type_name
                );
            }
        }
    }

    fn state(&self) -> String {
        let run = self.world.last_of(self.root);
        let run = &self.world.runs[run];
        let ended = run.end.as_ref().map_or_else(
            || "it is open".to_owned(),
            |end| format!("it has ended: {end:?}"),
        );
        let last = self.world.journal.steps.last();
        let last = last.map_or_else(
            || "no step was taken".to_owned(),
            |step| format!("the last step was {}, {}", step.number, step.name),
        );
        format!("{ended}; {last}; {:?} have passed", self.world.elapsed())
    }
}

fn typed<T: DeserializeOwned>(name: &str, answer: Result<Payload, Proto>) -> Result<T, Failure> {
    let answer = answer.map_err(|failure| Failure::of_proto(&failure))?;
    let value = payload::json(Some(&answer));
    match payload::typed(&value) {
        Ok(typed) => Ok(typed),
        Err(error) => panic!("the answer to {name} is not of the type asked for: {value}: {error}"),
    }
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution")
            .field("state", &self.state())
            .finish()
    }
}
