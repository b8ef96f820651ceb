//! Workflow tasks: what a run is told, and what it makes of it.

use temporalio_protos::{
    coresdk::{
        workflow_activation::workflow_activation_job::Variant as Job,
        workflow_commands::{
            WorkflowCommand, query_result::Variant as Said, update_response::Response,
            workflow_command::Variant as Command,
        },
        workflow_completion::{Failure as TaskFailed, workflow_activation_completion::Status},
    },
    temporal::api::{
        failure::v1::{Failure, failure::FailureInfo},
        history::v1::{
            WorkflowTaskCompletedEventAttributes, WorkflowTaskScheduledEventAttributes,
            WorkflowTaskStartedEventAttributes, history_event::Attributes,
        },
        sdk::v1::WorkflowTaskCompletedMetadata,
    },
};
use tenterhook_workflow::Pin;

use crate::{
    agenda::RunKey,
    command::Held,
    episode::End,
    tape::Given,
    world::{TASK_TIMEOUT, WORKER, World, proto, queue},
};

/// What Core says it used, with the first task of a run.
const CORE_FLAGS: [u32; 3] = [1, 2, 3];

/// One workflow task: what its activations led to, before it is written down.
#[derive(Default)]
pub(crate) struct Task {
    pub(crate) held: Vec<Held>,
    /// What Core itself tells the run next, in the same task.
    pub(crate) next: Vec<Job>,
    pub(crate) ends: bool,
}

impl World {
    /// Tells `run` what waits for it, and does what it says.
    pub(crate) fn task(&mut self, run: RunKey) {
        if !self.runs[run].is_open() {
            return;
        }
        if std::mem::take(&mut self.runs[run].is_lost) {
            self.rebuild(run);
        }
        let mut jobs = std::mem::take(&mut self.runs[run].jobs);
        let mut task = Task::default();
        // Written down once it is over: a question, or an update that is rejected, leaves no trace.
        let begins = self.runs[run].history.len();
        let only_asks = !jobs.is_empty() && jobs.iter().all(is_question);
        while !jobs.is_empty() {
            let given = Given {
                jobs,
                at: self.now,
                events: u32::try_from(begins + 2).unwrap_or(u32::MAX),
                bytes: self.runs[run].history.bytes(),
            };
            let run_id = self.runs[run].run.identity().run_id.clone();
            let activation = given.activation(&run_id, false);
            let completion = self.runs[run].run.activate(activation);
            let commands = match completion.status {
                Some(Status::Successful(success)) => success.commands,
                Some(Status::Failed(failed)) => return self.stuck(run, failed),
                None => Vec::new(),
            };
            self.runs[run].tape.keep(given, &commands);
            for command in commands {
                self.take_command(run, command, &mut task);
            }
            jobs = if task.ends {
                Vec::new()
            } else {
                std::mem::take(&mut task.next)
            };
        }
        if only_asks && task.held.is_empty() {
            return;
        }
        let completed = self.write_task(run);
        for held in task.held {
            self.apply(run, held, completed);
        }
    }

    /// Gives `run` one question, which changes nothing.
    pub(crate) fn put(&mut self, run: RunKey, question: Job) {
        if std::mem::take(&mut self.runs[run].is_lost) {
            self.rebuild(run);
        }
        let history = &self.runs[run].history;
        let given = Given {
            jobs: vec![question],
            at: self.now,
            events: u32::try_from(history.len()).unwrap_or(u32::MAX),
            bytes: history.bytes(),
        };
        let run_id = self.runs[run].run.identity().run_id.clone();
        let completion = self.runs[run]
            .run
            .activate(given.activation(&run_id, false));
        match completion.status {
            Some(Status::Successful(success)) => {
                let mut task = Task::default();
                for command in success.commands {
                    self.take_command(run, command, &mut task);
                }
            }
            Some(Status::Failed(failed)) => self.stuck(run, failed),
            None => {}
        }
    }

    /// The three events of a task; answers the last one's id.
    fn write_task(&mut self, run: RunKey) -> i64 {
        let is_first = self.runs[run].history.len() == 1;
        let bytes = self.runs[run].history.bytes();
        let scheduled = WorkflowTaskScheduledEventAttributes {
            task_queue: queue(),
            start_to_close_timeout: proto(Some(TASK_TIMEOUT)),
            attempt: 1,
        };
        let scheduled = self.event(
            run,
            Attributes::WorkflowTaskScheduledEventAttributes(scheduled),
        );
        let started = WorkflowTaskStartedEventAttributes {
            scheduled_event_id: scheduled,
            identity: WORKER.to_owned(),
            request_id: format!("task-{scheduled}"),
            history_size_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            ..Default::default()
        };
        let started = self.event(run, Attributes::WorkflowTaskStartedEventAttributes(started));
        let metadata = WorkflowTaskCompletedMetadata {
            core_used_flags: CORE_FLAGS.to_vec(),
            ..Default::default()
        };
        let completed = WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: scheduled,
            started_event_id: started,
            identity: WORKER.to_owned(),
            sdk_metadata: is_first.then_some(metadata),
            ..Default::default()
        };
        self.event(
            run,
            Attributes::WorkflowTaskCompletedEventAttributes(completed),
        )
    }

    /// A task failed. On a host it is tried again until somebody mends the code; here the test ends.
    fn stuck(&mut self, run: RunKey, failed: TaskFailed) {
        let cause = failed.force_cause().as_str_name().to_owned();
        let failure = failed.failure.unwrap_or_default();
        let code = code_of(&failure).unwrap_or(cause);
        self.runs[run].end = Some(End::Stuck {
            code,
            message: failure.message,
        });
    }

    /// Makes the instance of `run` anew from what it was given, as after the loss of its worker.
    fn rebuild(&mut self, run: RunKey) {
        let identity = self.runs[run].run.identity().clone();
        let pin = if self.runs[run].tape.is_empty() {
            Pin::Unwritten
        } else {
            Pin::Written
        };
        let mut fresh = self.fresh(identity, pin);
        match self.runs[run].tape.replay(&mut fresh) {
            Ok(()) => self.runs[run].run = fresh,
            Err(difference) => {
                self.runs[run].end = Some(End::Stuck {
                    code: tenterhook_domain::Code::NonDeterministic
                        .as_str()
                        .to_owned(),
                    message: format!("after the loss of its worker, {difference}"),
                });
            }
        }
    }

    /// Runs everything that `run` did a second time, as a replay.
    ///
    /// # Errors
    /// The first difference.
    pub(crate) fn repeat(&self, run: RunKey) -> Result<(), String> {
        let identity = self.runs[run].run.identity().clone();
        let mut fresh = self.fresh(identity, Pin::Written);
        self.runs[run].tape.replay(&mut fresh)
    }

    fn take_command(&mut self, run: RunKey, command: WorkflowCommand, task: &mut Task) {
        let summary = command.user_metadata;
        let Some(command) = command.variant else {
            return;
        };
        match command {
            Command::RespondToQuery(it) => {
                let answer = match it.variant {
                    Some(Said::Succeeded(it)) => Ok(it.response.unwrap_or_default()),
                    Some(Said::Failed(failure)) => Err(failure),
                    None => Err(Failure::default()),
                };
                self.answers.insert(it.query_id, answer);
            }
            Command::UpdateResponse(it) => {
                let accepted = self.runs[run]
                    .updates
                    .get(&it.protocol_instance_id)
                    .is_some_and(|asked| asked.accepted != 0 || asked.is_accepted);
                match it.response {
                    Some(Response::Rejected(failure)) if !accepted => {
                        self.runs[run].updates.remove(&it.protocol_instance_id);
                        self.updates.insert(it.protocol_instance_id, Err(failure));
                    }
                    response => {
                        if let Some(asked) =
                            self.runs[run].updates.get_mut(&it.protocol_instance_id)
                        {
                            asked.is_accepted = true;
                        }
                        task.held
                            .push(Held::Update(it.protocol_instance_id, response));
                    }
                }
            }
            Command::CancelTimer(it) => {
                if !task.forget(|held| matches!(held, Held::Command(Command::StartTimer(timer), _) if timer.seq == it.seq))
                {
                    task.held.push(Held::Command(Command::CancelTimer(it), None));
                }
            }
            Command::RequestCancelActivity(it) => self.give_up_activity(run, it.seq, task),
            Command::CancelChildWorkflowExecution(it) => {
                self.give_up_child(run, it, task);
            }
            Command::ScheduleLocalActivity(it) => self.run_locally(run, it, task),
            // Those that are under way end within the activation that began them.
            Command::RequestCancelLocalActivity(_) | Command::CancelSignalWorkflow(_) => {}
            command => {
                task.ends |= ends(&command);
                task.held.push(Held::Command(command, summary));
            }
        }
    }
}

impl Task {
    /// Takes back what was said in this very task: then it never was.
    pub(crate) fn forget(&mut self, is: impl Fn(&Held) -> bool) -> bool {
        let place = self.held.iter().position(is);
        place.map(|place| self.held.remove(place)).is_some()
    }
}

fn is_question(job: &Job) -> bool {
    matches!(job, Job::QueryWorkflow(_) | Job::DoUpdate(_))
}

fn ends(command: &Command) -> bool {
    matches!(
        command,
        Command::CompleteWorkflowExecution(_)
            | Command::FailWorkflowExecution(_)
            | Command::CancelWorkflowExecution(_)
            | Command::ContinueAsNewWorkflowExecution(_)
    )
}

fn code_of(failure: &Failure) -> Option<String> {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) if !info.r#type.is_empty() => {
            Some(info.r#type.clone())
        }
        _ => None,
    }
}
