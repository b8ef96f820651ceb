//! The command firewall as one table: every kind of command that the WIT offers, in every direction a guest can point it.
//!
//! `firewall/table.txt` states what becomes of each. Kinds are walked by matches without a wildcard, so a kind that the
//! contract gains does not compile until it has its rows.

mod kinds;
mod names;

use std::{collections::HashMap, fmt::Write as _};

use temporalio_protos::{
    coresdk::{
        workflow_commands::workflow_command::Variant as Command,
        workflow_completion::workflow_activation_completion::Status,
    },
    temporal::api::{common::v1::Payload, failure::v1::failure::FailureInfo},
};
use tenterhook_domain::{Code, context::HEADER};
use tenterhook_workflow::{Pin, Reach, guest::Terminal, outside_targets};

use self::kinds::Kind;
use crate::scene::*;

/// Whom a guest of `payment` in `acme/production` points a command at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Own,
    /// Another plugin of the scope, which nobody granted it.
    OtherPlugin,
    /// The same, granted.
    GrantedPlugin,
    OtherEnvironment,
    OtherTenant,
    /// An execution of its own scope, by the id that Temporal knows it by.
    RawId,
}

impl Direction {
    const ALL: [Self; 6] = [
        Self::Own,
        Self::OtherPlugin,
        Self::GrantedPlugin,
        Self::OtherEnvironment,
        Self::OtherTenant,
        Self::RawId,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::OtherPlugin => "other plugin",
            Self::GrantedPlugin => "granted plugin",
            Self::OtherEnvironment => "other environment",
            Self::OtherTenant => "other tenant",
            Self::RawId => "raw id",
        }
    }

    /// The type that the guest names.
    fn type_name(self) -> &'static str {
        match self {
            Self::Own => "Charge",
            Self::OtherPlugin | Self::GrantedPlugin => "billing.Charge",
            Self::OtherEnvironment => "acme/staging/payment.Charge",
            Self::OtherTenant => "globex/production/payment.Charge",
            Self::RawId => "payment.Charge",
        }
    }

    /// The execution that the guest names. An id says nothing of its plugin.
    fn workflow_id(self) -> &'static str {
        match self {
            Self::Own | Self::OtherPlugin | Self::GrantedPlugin => "p-2",
            Self::OtherEnvironment => "acme/staging/p-9",
            Self::OtherTenant => "globex/production/p-9",
            Self::RawId => "acme/production/p-2",
        }
    }

    fn reach(self) -> Reach {
        match self {
            Self::GrantedPlugin => granted(&["billing"]),
            _ => granted(&[]),
        }
    }
}

/// What becomes of a command, in words.
fn outcome(kind: &Kind, direction: Direction) -> String {
    let Some(pointed) = kind.pointed(direction) else {
        return "does not apply: it names nothing but its own run's".to_owned();
    };
    let mut scene = Scene::begun();
    scene.run.set_reach(direction.reach());
    match &pointed {
        Kind::Pushed(command) => scene.script.push(command.clone()),
        Kind::Ended(terminal) => scene.script.end(terminal.clone()),
    }
    let completion = scene.complete(vec![fire(1)]);
    let asked = outside_targets(&completion);
    let mut words = match completion.status {
        Some(Status::Successful(success)) => {
            let [command] = &success.commands[..] else {
                panic!("{kind:?}: one command becomes one: {success:?}")
            };
            let command = command.variant.as_ref().unwrap();
            if let Kind::Pushed(given) = &pointed
                && given == command
            {
                return "carried as it is".to_owned();
            }
            carried(command, &scene)
        }
        Some(Status::Failed(failed)) => {
            let Some(FailureInfo::ApplicationFailureInfo(info)) =
                failed.failure.unwrap().failure_info
            else {
                panic!("{kind:?}: a refusal has a code")
            };
            assert!(Code::of_text(&info.r#type).is_some(), "{}", info.r#type);
            format!("refused with {}", info.r#type)
        }
        None => panic!("{kind:?}: nothing became of it"),
    };
    for target in asked {
        write!(words, ", Temporal asked whose {target} is").unwrap();
    }
    words
}

/// Where a command goes, and in whose name. What is the host's is held here, whatever the guest said.
fn carried(command: &Command, scene: &Scene) -> String {
    match command {
        Command::ScheduleActivity(it) => {
            assert_eq!(it.task_queue, QUEUE);
            assert_eq!(it.versioning_intent, 0);
            assert_eq!(it.priority.as_ref().unwrap().fairness_key, "acme");
            format!("{}{}", it.activity_type, signed(&it.headers, scene, ID))
        }
        Command::ScheduleLocalActivity(it) => {
            format!("{}{}", it.activity_type, signed(&it.headers, scene, ID))
        }
        Command::StartChildWorkflowExecution(it) => {
            assert_eq!((&*it.namespace, &*it.task_queue), ("lanes", QUEUE));
            assert_eq!((it.versioning_intent, &it.versioning_override), (0, &None));
            assert_eq!(it.priority.as_ref().unwrap().fairness_key, "acme");
            let attributes = &it.search_attributes.as_ref().unwrap().indexed_fields;
            let plugin = it.workflow_type.split('.').next().unwrap();
            check_marks(attributes, plugin);
            let signed = signed(&it.headers, scene, &it.workflow_id);
            format!("{} {}{signed}", it.workflow_type, it.workflow_id)
        }
        Command::SignalExternalWorkflowExecution(it) => {
            assert!(!it.headers.contains_key(HEADER));
            kinds::target(it.target.as_ref().unwrap())
        }
        Command::RequestCancelExternalWorkflowExecution(it) => {
            let execution = it.workflow_execution.as_ref().unwrap();
            assert_eq!(execution.namespace, "lanes");
            execution.workflow_id.clone()
        }
        Command::ContinueAsNewWorkflowExecution(it) => {
            assert_eq!(it.task_queue, QUEUE);
            assert_eq!(
                (it.versioning_intent, it.initial_versioning_behavior),
                (0, 0)
            );
            let attributes = &it.search_attributes.as_ref().unwrap().indexed_fields;
            check_marks(attributes, "payment");
            format!("{}{}", it.workflow_type, signed(&it.headers, scene, ID))
        }
        Command::CompleteWorkflowExecution(_)
        | Command::FailWorkflowExecution(_)
        | Command::CancelWorkflowExecution(_) => "ends the run".to_owned(),
        other => panic!("what is held of {other:?}?"),
    }
}

/// Holds that `attributes` say that the execution is of `plugin` in `acme/production`.
fn check_marks(attributes: &HashMap<String, Payload>, plugin: &str) {
    for (name, value) in [
        ("Tenant", "acme"),
        ("Environment", "production"),
        ("Plugin", plugin),
    ] {
        assert_eq!(
            attributes[name].data,
            format!("{value:?}").as_bytes(),
            "{name}"
        );
    }
}

/// Whose context is in `headers`, which must be of `workflow_id`.
fn signed(headers: &HashMap<String, Payload>, scene: &Scene, workflow_id: &str) -> String {
    let context = scene.context(headers, workflow_id);
    assert_eq!(context.scope.to_string(), "acme/production");
    let release = match context.digest {
        Some(of_run) if of_run == digest() => " on this release",
        Some(other) => panic!("signed for a release of nobody's: {other}"),
        None => "",
    };
    format!(", signed for {}{release}", context.plugin)
}

#[test]
fn every_kind_in_every_direction_is_what_the_table_says() {
    let mut actual = String::new();
    for kind in Kind::all() {
        writeln!(actual, "{}", kind.title()).unwrap();
        for direction in Direction::ALL {
            let outcome = outcome(&kind, direction);
            writeln!(actual, "    {:<18} {outcome}", direction.title()).unwrap();
        }
    }
    let stated = include_str!("firewall/table.txt");
    for (line, (stated, actual)) in stated.lines().zip(actual.lines()).enumerate() {
        assert_eq!(stated, actual, "line {} of firewall/table.txt", line + 1);
    }
    assert_eq!(
        stated, actual,
        "firewall/table.txt has rows too many or too few"
    );
}

#[test]
fn a_replay_is_not_held_against_what_is_granted_now() {
    let mut scene = Scene::begun();
    scene.run.set_reach(granted(&[]));
    for kind in Kind::all() {
        if let Some(Kind::Pushed(command)) = kind.pointed(Direction::OtherPlugin)
            && outcome(&kind, Direction::GrantedPlugin) != outcome(&kind, Direction::OtherPlugin)
        {
            scene.script.push(command);
        }
    }
    let mut replayed = activation(vec![fire(1)]);
    replayed.is_replaying = true;
    let Some(Status::Successful(success)) = scene.run.activate(replayed).status else {
        panic!("what was granted once is replayed")
    };
    assert_eq!(
        success.commands.len(),
        4,
        "activities, ordinary and local, and both kinds of children"
    );
}

#[test]
fn a_run_that_nobody_granted_anything_reaches_its_own_plugin_alone() {
    let payment = "payment".parse().unwrap();
    let billing = "billing".parse().unwrap();
    let nothing = Reach::default();
    nothing.check(&payment, &payment).unwrap();
    let refused = nothing.check(&payment, &billing).unwrap_err();
    assert_eq!(refused.code(), Code::CommandRefused);
    assert!(
        refused
            .detail()
            .contains("adds billing to payment's grants")
    );
    granted(&["billing"]).check(&payment, &billing).unwrap();
    Reach::Scope.check(&payment, &billing).unwrap();
}

/// What workflow code can call of the host's, by the contract itself.
#[test]
fn the_contract_offers_no_way_out_but_these() {
    let contract = include_str!("../../../../wit/deps/temporal-workflow-runtime.wit");
    let host = contract.split("interface workflow-host {").nth(1).unwrap();
    let host = host.split("\n}").next().unwrap();
    let functions = host
        .split(';')
        .filter_map(|line| line.trim().split_once(": func"));
    let functions: Vec<&str> = functions.map(|(name, _)| name).collect();
    // Commands are the table's. The other two say something to the host and nothing to anybody else: a text about the
    // run, bounded in size, and whether the history has a patch, whose marker is a command.
    assert_eq!(
        functions,
        ["set-current-details", "push-command", "patch-activation"]
    );
}

#[test]
fn a_task_that_the_host_refuses_later_fails_in_the_same_way() {
    let mut scene = Scene::new(Pin::Written);
    scene.commands(vec![init()]);
    let error = tenterhook_domain::Error::new(Code::CommandRefused, "it is billing's");
    let (failure, _) = failure_of(scene.run.refuse(&error));
    check_failure(&failure, Code::CommandRefused, "it is billing's");
    assert!(scene.run.is_dead());
}

/// A continue-as-new of this request.
fn as_new(request: impl prost::Message) -> Terminal {
    Terminal::ContinueAsNew(request.encode_to_vec())
}
