//! What a run was given and what it did, to be given to a fresh instance: by a crash, and by the check that the code
//! does the same twice.

use std::time::{Duration, UNIX_EPOCH};

use temporalio_protos::coresdk::{
    workflow_activation::{
        DoUpdate, WorkflowActivation, WorkflowActivationJob,
        workflow_activation_job::Variant as Job,
    },
    workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
};
use tenterhook_workflow::{Run, repetition_differs, with_patches};

/// One activation of a run.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) jobs: Vec<Job>,
    pub(crate) at: Duration,
    pub(crate) events: u32,
    pub(crate) bytes: u64,
}

impl Given {
    /// As the run is given it.
    pub(crate) fn activation(&self, run_id: &str, is_replaying: bool) -> WorkflowActivation {
        let jobs = self.jobs.iter().cloned();
        WorkflowActivation {
            run_id: run_id.to_owned(),
            timestamp: Some((UNIX_EPOCH + self.at).into()),
            is_replaying,
            history_length: self.events,
            history_size_bytes: self.bytes,
            jobs: jobs
                .map(|job| WorkflowActivationJob { variant: Some(job) })
                .collect(),
            ..Default::default()
        }
    }
}

/// All activations of a run that history knows of, with what came of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tape {
    tasks: Vec<(Given, Vec<WorkflowCommand>)>,
}

impl Tape {
    /// Keeps what came of `given`. Questions leave no trace in a history, nor do updates that were rejected.
    pub(crate) fn keep(&mut self, mut given: Given, commands: &[WorkflowCommand]) {
        let rejected = rejected(&given, commands);
        given.jobs.retain(|job| match job {
            Job::QueryWorkflow(_) => false,
            Job::DoUpdate(it) => !rejected.contains(&it.protocol_instance_id),
            _ => true,
        });
        if given.jobs.is_empty() {
            return;
        }
        let kept = commands.iter().filter(|command| match &command.variant {
            Some(Command::RespondToQuery(_)) => false,
            Some(Command::UpdateResponse(it)) => !rejected.contains(&it.protocol_instance_id),
            _ => true,
        });
        self.tasks.push((given, kept.cloned().collect()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// All commands, in order.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &WorkflowCommand> {
        self.tasks.iter().flat_map(|(_, commands)| commands)
    }

    /// Gives all of it to `run`, which is fresh, as Core replays a history.
    ///
    /// # Errors
    /// The first difference, for a person.
    pub(crate) fn replay(&self, run: &mut Run) -> Result<(), String> {
        let run_id = run.identity().run_id.clone();
        for (place, (given, commands)) in self.tasks.iter().enumerate() {
            let mut again = given.clone();
            again.jobs = with_patches(again.jobs, commands);
            for job in &mut again.jobs {
                if let Job::DoUpdate(DoUpdate { run_validator, .. }) = job {
                    *run_validator = false;
                }
            }
            let completion = run.activate(again.activation(&run_id, true));
            if let Some(difference) = repetition_differs(commands, completion) {
                return Err(format!("in activation {}, {difference}", place + 1));
            }
        }
        Ok(())
    }
}

/// The updates of `given` that the validator refused: no event tells of them.
fn rejected(given: &Given, commands: &[WorkflowCommand]) -> Vec<String> {
    use temporalio_protos::coresdk::workflow_commands::update_response::Response;
    let asked = given.jobs.iter().filter_map(|job| match job {
        Job::DoUpdate(it) => Some(&it.protocol_instance_id),
        _ => None,
    });
    let accepted = |id: &String| {
        commands.iter().any(|command| {
            matches!(&command.variant, Some(Command::UpdateResponse(it))
                if it.protocol_instance_id == *id && matches!(it.response, Some(Response::Accepted(()))))
        })
    };
    asked.filter(|id| !accepted(id)).cloned().collect()
}
