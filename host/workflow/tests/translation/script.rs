//! A guest in plain Rust that answers what the test wrote down and keeps what it was called with.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use prost::Message as _;
use temporalio_protos::coresdk::{
    workflow_activation::{InitializeWorkflow, WorkflowActivation},
    workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
};
use tenterhook_workflow::guest::{
    Completion, Fault, Init, Instance, JobResult, Module, Moment, PendingState, Poll, Terminal,
};

/// One call on the guest, decoded.
#[derive(Debug, Clone)]
pub enum Call {
    Instantiate(Box<InitializeWorkflow>, Moment),
    Activate(Box<WorkflowActivation>, Moment),
    Poll(u64),
    Dropped,
}

/// One answer to `poll-routine`, and the commands pushed before it.
#[derive(Debug, Default)]
pub struct Step {
    pub push: Vec<Vec<u8>>,
    pub answer: Option<Result<Poll, Fault>>,
}

#[derive(Debug, Default)]
struct Book {
    calls: Vec<Call>,
    instantiate: VecDeque<Fault>,
    activate: VecDeque<Result<Vec<JobResult>, Fault>>,
    polls: HashMap<u64, VecDeque<Step>>,
    pushed: Vec<Vec<u8>>,
    details: Option<String>,
}

/// The script, shared by the test, the module and its instances. What is not written down is the dullest
/// answer there is: no result for a job, blocked, no progress.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Mutex<Book>>);

struct Actor(Script, Option<String>);

impl Script {
    fn book<T>(&self, read: impl FnOnce(&mut Book) -> T) -> T {
        read(
            &mut self
                .0
                .lock()
                .expect("no test panics while it holds the script"),
        )
    }

    /// The next instantiation fails so.
    pub fn instantiate_fails(&self, fault: Fault) {
        self.book(|book| book.instantiate.push_back(fault));
    }

    /// The next `activate` answers so.
    pub fn activate(&self, answer: Result<Vec<JobResult>, Fault>) {
        self.book(|book| book.activate.push_back(answer));
    }

    /// The next `activate` pushes these, before anything is polled.
    pub fn push_early(&self, command: Command) {
        self.book(|book| book.pushed.push(encode(command)));
    }

    /// The next poll of `routine` answers so.
    pub fn poll(&self, routine: u64, answer: Result<Poll, Fault>) {
        self.step(
            routine,
            Step {
                push: vec![],
                answer: Some(answer),
            },
        );
    }

    /// The next poll of the main routine pushes `bytes` and makes progress.
    pub fn push_bytes(&self, bytes: Vec<Vec<u8>>) {
        let answer = Some(Ok(poll(Some(Completion::Blocked), true)));
        self.step(
            0,
            Step {
                push: bytes,
                answer,
            },
        );
    }

    /// The next poll of the main routine pushes `command` and makes progress.
    pub fn push(&self, command: Command) {
        self.push_bytes(vec![encode(command)]);
    }

    /// The next poll of the main routine ends the workflow.
    pub fn end(&self, terminal: Terminal) {
        self.poll(0, Ok(poll(Some(Completion::Terminal(terminal)), true)));
    }

    /// What the guest says of itself from its next call on.
    pub fn details(&self, details: &str) {
        self.book(|book| book.details = Some(details.to_owned()));
    }

    /// Everything the guest was called with, once.
    pub fn calls(&self) -> Vec<Call> {
        self.book(|book| std::mem::take(&mut book.calls))
    }

    fn step(&self, routine: u64, step: Step) {
        self.book(|book| book.polls.entry(routine).or_default().push_back(step));
    }
}

impl Module for Script {
    fn instantiate(&self, init: &Init, moment: Moment) -> Result<Box<dyn Instance>, Fault> {
        let start = InitializeWorkflow::decode(init.initialize_workflow.as_slice())
            .expect("the host encodes well");
        self.book(|book| {
            book.calls.push(Call::Instantiate(Box::new(start), moment));
            match book.instantiate.pop_front() {
                Some(fault) => Err(fault),
                None => Ok(()),
            }
        })?;
        Ok(Box::new(Actor(self.clone(), None)))
    }
}

impl Instance for Actor {
    fn activate(&mut self, activation: &[u8], moment: Moment) -> Result<Vec<JobResult>, Fault> {
        let activation = WorkflowActivation::decode(activation).expect("the host encodes well");
        let jobs = activation.jobs.len();
        let (answer, details) = self.0.book(|book| {
            book.calls
                .push(Call::Activate(Box::new(activation), moment));
            (book.activate.pop_front(), book.details.clone())
        });
        self.1 = details;
        answer.unwrap_or_else(|| Ok(vec![JobResult::None; jobs]))
    }

    fn poll_routine(&mut self, routine: u64) -> Result<Poll, Fault> {
        let step = self.0.book(|book| {
            book.calls.push(Call::Poll(routine));
            let step = book.polls.get_mut(&routine).and_then(VecDeque::pop_front);
            step.map(|step| {
                book.pushed.extend(step.push);
                step.answer
            })
        });
        let waits = || Ok(poll((routine == 0).then_some(Completion::Blocked), false));
        step.flatten().unwrap_or_else(waits)
    }

    fn take_commands(&mut self) -> Vec<Vec<u8>> {
        self.0.book(|book| std::mem::take(&mut book.pushed))
    }

    fn current_details(&self) -> Option<&str> {
        self.1.as_deref()
    }

    fn memory_bytes(&self) -> u64 {
        65_536
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.0.book(|book| book.calls.push(Call::Dropped));
    }
}

/// A poll's answer that waits in its handler.
pub fn poll(completion: Option<Completion>, made_progress: bool) -> Poll {
    Poll {
        completion,
        made_progress,
        pending: Some(PendingState::Handler),
    }
}

/// A command as the guest pushes it.
pub fn encode(command: Command) -> Vec<u8> {
    WorkflowCommand::from(command).encode_to_vec()
}
