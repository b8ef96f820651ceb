//! Names of the host's, in every place where a command has names.

use std::collections::HashMap;

use temporalio_protos::{
    coresdk::workflow_commands::*,
    temporal::api::common::v1::{Memo, SearchAttributes},
};

use super::{kinds::Kind, *};

/// Where a command has a name, and the command with the given one there.
type Place = (&'static str, Box<dyn Fn(&str) -> Kind>);

const HEADERS: &[&str] = &[HEADER, "Tenterhook-Context", "tenterhook", "TENTERHOOK-x"];
const ATTRIBUTES: &[&str] = &[
    "Tenant",
    "Environment",
    "Plugin",
    "tenterhook",
    "TenterhookX",
    "TemporalChangeVersion",
    "TemporalAnything",
];
const PREFIXED: &[&str] = &[
    "tenterhook:x",
    "Tenterhook:release@x",
    "tenterhook:release@sha256:00",
];

fn only(name: &str) -> HashMap<String, Payload> {
    [(name.to_owned(), json("1"))].into()
}

fn attributes(name: &str) -> Option<SearchAttributes> {
    Some(SearchAttributes {
        indexed_fields: only(name),
    })
}

/// The command with what `fill` makes of it and a name.
fn place<M: Clone + 'static>(
    what: &'static str,
    of: &M,
    wrap: fn(M) -> Kind,
    fill: fn(&mut M, &str),
) -> Place {
    let of = of.clone();
    let filled = move |name: &str| {
        let mut it = of.clone();
        fill(&mut it, name);
        wrap(it)
    };
    (what, Box::new(filled))
}

/// Every place of `kind` that has names. A kind that is not here does not compile.
fn places(kind: &Kind) -> Vec<Place> {
    let pushed = match kind {
        Kind::Pushed(command) => command,
        Kind::Ended(Terminal::ContinueAsNew(_)) => return continuation(),
        Kind::Ended(Terminal::Completed(_) | Terminal::Failed(_) | Terminal::Cancelled(_)) => {
            return Vec::new();
        }
    };
    match pushed {
        Command::ScheduleActivity(it) => {
            let wrap = |it| Kind::Pushed(Command::ScheduleActivity(it));
            vec![place("header", it, wrap, |it, name| {
                it.headers = only(name)
            })]
        }
        Command::ScheduleLocalActivity(it) => {
            let wrap = |it| Kind::Pushed(Command::ScheduleLocalActivity(it));
            vec![place("header", it, wrap, |it, name| {
                it.headers = only(name)
            })]
        }
        Command::SignalExternalWorkflowExecution(it) => {
            let wrap = |it| Kind::Pushed(Command::SignalExternalWorkflowExecution(it));
            vec![place("header", it, wrap, |it, name| {
                it.headers = only(name)
            })]
        }
        Command::StartChildWorkflowExecution(it) => {
            let wrap = |it| Kind::Pushed(Command::StartChildWorkflowExecution(it));
            vec![
                place("header", it, wrap, |it, name| it.headers = only(name)),
                place("memo", it, wrap, |it, name| it.memo = only(name)),
                place("attribute", it, wrap, |it, name| {
                    it.search_attributes = attributes(name);
                }),
            ]
        }
        Command::UpsertWorkflowSearchAttributes(it) => {
            let wrap = |it| Kind::Pushed(Command::UpsertWorkflowSearchAttributes(it));
            vec![place("attribute", it, wrap, |it, name| {
                it.search_attributes = attributes(name);
            })]
        }
        Command::ModifyWorkflowProperties(it) => {
            let wrap = |it| Kind::Pushed(Command::ModifyWorkflowProperties(it));
            vec![place("memo", it, wrap, |it, name| {
                let fields = only(name);
                it.upserted_memo = Some(Memo { fields });
            })]
        }
        Command::SetPatchMarker(it) => {
            let wrap = |it| Kind::Pushed(Command::SetPatchMarker(it));
            vec![place("patch", it, wrap, |it, name| {
                it.patch_id = name.into()
            })]
        }
        // Refused whatever they say.
        Command::ScheduleNexusOperation(_)
        | Command::RequestCancelNexusOperation(_)
        | Command::RespondToQuery(_)
        | Command::UpdateResponse(_)
        | Command::CompleteWorkflowExecution(_)
        | Command::FailWorkflowExecution(_)
        | Command::CancelWorkflowExecution(_)
        | Command::ContinueAsNewWorkflowExecution(_) => Vec::new(),
        // No names.
        Command::StartTimer(_)
        | Command::CancelTimer(_)
        | Command::RequestCancelActivity(_)
        | Command::RequestCancelLocalActivity(_)
        | Command::CancelChildWorkflowExecution(_)
        | Command::RequestCancelExternalWorkflowExecution(_)
        | Command::CancelSignalWorkflow(_) => Vec::new(),
    }
}

fn continuation() -> Vec<Place> {
    let it = &ContinueAsNewWorkflowExecution::default();
    let wrap = |it: ContinueAsNewWorkflowExecution| Kind::Ended(as_new(it));
    vec![
        place("header", it, wrap, |it, name| it.headers = only(name)),
        place("memo", it, wrap, |it, name| it.memo = only(name)),
        place("attribute", it, wrap, |it, name| {
            it.search_attributes = attributes(name);
        }),
    ]
}

#[test]
fn no_kind_writes_a_name_of_the_hosts() {
    let mut tried = Vec::new();
    for kind in Kind::all() {
        // Pointed at its own, so that nothing but the name is wrong with it.
        let Some(own) = kind.pointed(Direction::Own) else {
            continue;
        };
        for (what, filled) in places(&own) {
            tried.push(format!("{} {what}", kind.title()));
            let reserved = match what {
                "header" => HEADERS,
                "attribute" => ATTRIBUTES,
                _ => PREFIXED,
            };
            for name in reserved {
                let mut scene = pushed(filled(name));
                let (failure, _) = scene.failure(vec![fire(1)]);
                check_failure(&failure, Code::CommandRefused, name);
            }
            let done = pushed(filled("mine")).complete(vec![fire(1)]).status;
            assert!(matches!(done, Some(Status::Successful(_))), "{done:?}");
        }
    }
    assert_eq!(tried.len(), 16, "{tried:#?}");
}

fn pushed(kind: Kind) -> Scene {
    let scene = Scene::begun();
    match kind {
        Kind::Pushed(command) => scene.script.push(command),
        Kind::Ended(terminal) => scene.script.end(terminal),
    }
    scene
}
