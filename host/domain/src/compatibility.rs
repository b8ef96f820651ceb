//! What those who use the current release would miss in a new one.
//!
//! Two directions: a caller sends what the current release takes, so a new input schema must not take less; a reader
//! reads what the current release answers, so a new result schema must not answer more.

mod schema;

use std::fmt;

use serde_json::Value;

use self::schema::Change;
use crate::component::{MessageType, Metadata, WorkflowType};

/// Most findings of one comparison; what is beyond says no more.
pub const BREAKS_MAX: usize = 100;
/// Most pairs of schemas that are compared, those within schemas included.
const STEPS_MAX: u32 = 200_000;

/// One way in which a new release breaks with the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The type: `workflow "Pay"`, `signal "cancel" of workflow "Pay"`.
    pub subject: String,
    /// Which schema of it, and the place there as a JSON pointer; none where the type itself is gone.
    pub place: Option<(Part, String)>,
    /// What is otherwise.
    pub what: String,
    /// What comes of it.
    pub consequence: &'static str,
}

/// One of a type's two schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What callers send.
    Input,
    /// What readers are answered.
    Result,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Result => "result",
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)?;
        if let Some((part, pointer)) = &self.place {
            write!(f, ", {} at {pointer:?}", part.as_str())?;
        }
        write!(f, ": {}: {}", self.what, self.consequence)
    }
}

const SENDERS: &str = "callers that send it are refused";
const READERS: &str = "readers made for the current release may not understand it";

/// Whether something of a kind is gone, and what comes of it.
const GONE: &[(&str, &str)] = &[
    (
        "workflow",
        "starts of it are refused once this release is current",
    ),
    ("activity", "workflows of other plugins that call it fail"),
    ("signal", "it is sent in vain to executions of this release"),
    ("query", "it fails on executions of this release"),
    ("update", "it is rejected by executions of this release"),
];

/// In what `new` breaks with `current`, at most [`BREAKS_MAX`]. What changed and cannot be compared is among it.
pub fn breaks(current: &Metadata, new: &Metadata) -> Vec<Break> {
    let mut found = Found {
        breaks: Vec::new(),
        steps: STEPS_MAX,
    };
    let now = by_name(&new.workflows, |workflow| &workflow.definition.name);
    for before in &current.workflows {
        let name = &before.definition.name;
        match now(name) {
            Some(after) => workflow(before, after, &mut found),
            None => found.add(gone("workflow", format!("workflow {name:?}"))),
        }
    }
    messages(
        "activity",
        "",
        &current.activities,
        &new.activities,
        &mut found,
    );
    found.breaks
}

/// What was found, and how much may still be looked at.
struct Found {
    breaks: Vec<Break>,
    steps: u32,
}

impl Found {
    fn add(&mut self, one: Break) {
        if self.breaks.len() < BREAKS_MAX {
            self.breaks.push(one);
        }
    }
}

fn workflow(before: &WorkflowType, after: &WorkflowType, found: &mut Found) {
    let subject = format!("workflow {:?}", before.definition.name);
    message(&subject, &before.definition, &after.definition, found);
    let of = format!(" of {subject}");
    for (kind, before, after) in [
        ("signal", &before.signals, &after.signals),
        ("query", &before.queries, &after.queries),
        ("update", &before.updates, &after.updates),
    ] {
        messages(kind, &of, before, after, found);
    }
}

fn messages(
    kind: &str,
    of: &str,
    before: &[MessageType],
    after: &[MessageType],
    found: &mut Found,
) {
    let now = by_name(after, |message| &message.name);
    for before in before {
        let subject = format!("{kind} {:?}{of}", before.name);
        match now(&before.name) {
            Some(after) => message(&subject, before, after, found),
            None => found.add(gone(kind, subject)),
        }
    }
}

fn message(subject: &str, before: &MessageType, after: &MessageType, found: &mut Found) {
    let anything = Value::Bool(true);
    let or_anything = |schema: &Option<Value>| schema.clone().unwrap_or_else(|| anything.clone());
    let inputs = (&before.input_schema, &after.input_schema);
    let results = (&before.result_schema, &after.result_schema);
    let (taken, given) = (or_anything(inputs.0), or_anything(inputs.1));
    let narrower = schema::narrowings(&taken, &given, &mut found.steps);
    // A result is wider where the one before is narrower.
    let (answered, read) = (or_anything(results.1), or_anything(results.0));
    let wider = schema::narrowings(&answered, &read, &mut found.steps);
    let narrower = narrower
        .into_iter()
        .map(|it| (Part::Input, narrowed(&it.change), it.pointer, SENDERS));
    let wider = wider
        .into_iter()
        .map(|it| (Part::Result, widened(&it.change), it.pointer, READERS));
    for (part, what, pointer, consequence) in narrower.chain(wider) {
        found.add(Break {
            subject: subject.to_owned(),
            place: Some((part, pointer)),
            what,
            consequence,
        });
    }
}

/// An input's change, from the current release to the new one.
fn narrowed(change: &Change) -> String {
    match change {
        Change::Required(name) => format!("{name:?} is required now"),
        Change::Property(name) => format!("{name:?} is not taken any more"),
        Change::Closed => "other properties than those described are not taken any more".to_owned(),
        Change::Types(types) => format!("it may not be {} any more", types.join(" or ")),
        Change::Value(value) => format!("{value} is not taken any more"),
        Change::Bound {
            keyword,
            wide,
            narrow,
        } => match wide {
            Some(before) => format!("{keyword} is {narrow} now, it was {before}"),
            None => format!("{keyword} is {narrow} now, there was none"),
        },
        Change::Everything => "nothing is taken any more".to_owned(),
        Change::Alternative => "one of the alternatives is not taken any more".to_owned(),
    }
}

/// A result's change: `wide` is the new release's.
fn widened(change: &Change) -> String {
    match change {
        Change::Required(name) => format!("{name:?} may be missing now"),
        Change::Property(name) => format!("{name:?} is new where nothing else was allowed"),
        Change::Closed => "other properties than those described may be there now".to_owned(),
        Change::Types(types) => format!("it may be {} now", types.join(" or ")),
        Change::Value(value) => format!("it may be {value} now"),
        Change::Bound {
            keyword,
            wide,
            narrow,
        } => match wide {
            Some(now) => format!("{keyword} is {now} now, it was {narrow}"),
            None => format!("{keyword} is gone, it was {narrow}"),
        },
        Change::Everything => "it is there now, there was none".to_owned(),
        Change::Alternative => "it has an alternative now that it did not have".to_owned(),
    }
}

fn gone(kind: &str, subject: String) -> Break {
    let consequence = GONE.iter().find(|(of, _)| *of == kind);
    Break {
        subject,
        place: None,
        what: "it is gone".to_owned(),
        consequence: consequence.map_or("it cannot be used", |(_, consequence)| consequence),
    }
}

fn by_name<'a, T>(
    items: &'a [T],
    name: impl Fn(&T) -> &String + 'a,
) -> impl Fn(&str) -> Option<&'a T> {
    move |wanted| items.iter().find(|item| name(item) == wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn typed(name: &str, input: Option<Value>, result: Option<Value>) -> MessageType {
        MessageType {
            name: name.to_owned(),
            description: None,
            input_schema: input,
            result_schema: result,
        }
    }

    fn plugin(pay: MessageType, activities: &[&str], messages: &[&str]) -> Metadata {
        let bare = |names: &[&str]| names.iter().map(|name| typed(name, None, None)).collect();
        Metadata {
            workflows: vec![WorkflowType {
                definition: pay,
                signals: bare(messages),
                queries: bare(messages),
                updates: bare(messages),
            }],
            activities: bare(activities),
            ..Metadata::default()
        }
    }

    fn texts(current: &Metadata, new: &Metadata) -> Vec<String> {
        breaks(current, new).iter().map(Break::to_string).collect()
    }

    #[test]
    fn what_is_gone_is_named_with_what_comes_of_it() {
        let current = plugin(typed("Pay", None, None), &["Charge"], &["cancel"]);
        assert!(texts(&current, &current).is_empty());
        let fewer = plugin(typed("Pay", None, None), &[], &[]);
        assert_eq!(
            texts(&current, &fewer),
            [
                "signal \"cancel\" of workflow \"Pay\": it is gone: it is sent in vain to executions of this release",
                "query \"cancel\" of workflow \"Pay\": it is gone: it fails on executions of this release",
                "update \"cancel\" of workflow \"Pay\": it is gone: it is rejected by executions of this release",
                "activity \"Charge\": it is gone: workflows of other plugins that call it fail",
            ]
        );
        assert!(texts(&fewer, &current).is_empty(), "more is no break");
        let renamed = plugin(typed("PayOut", None, None), &["Charge"], &["cancel"]);
        assert_eq!(
            texts(&current, &renamed),
            ["workflow \"Pay\": it is gone: starts of it are refused once this release is current"]
        );
    }

    #[test]
    fn inputs_may_widen_and_results_may_narrow() {
        let narrow = json!({ "type": "integer", "minimum": 5 });
        let wide = json!({ "type": "number" });
        let pay = |input: &Value, result: &Value| {
            plugin(
                typed("Pay", Some(input.clone()), Some(result.clone())),
                &[],
                &[],
            )
        };
        assert!(texts(&pay(&narrow, &wide), &pay(&wide, &narrow)).is_empty());
        assert_eq!(
            texts(&pay(&wide, &narrow), &pay(&narrow, &wide)),
            [
                "workflow \"Pay\", input at \"\": it may not be number any more: callers that send it are refused",
                "workflow \"Pay\", input at \"\": minimum is 5 now, there was none: callers that send it are refused",
                "workflow \"Pay\", result at \"\": it may be number now: readers made for the current release may not understand it",
                "workflow \"Pay\", result at \"\": minimum is gone, it was 5: readers made for the current release may not understand it",
            ]
        );
    }

    #[test]
    fn a_schema_is_more_than_none() {
        let with = |schema: Option<Value>| plugin(typed("Pay", schema, None), &[], &[]);
        let schema = Some(json!({ "type": "object" }));
        assert!(texts(&with(schema.clone()), &with(None)).is_empty());
        let [one] = &texts(&with(None), &with(schema))[..] else {
            panic!("one break")
        };
        assert!(one.contains("it may not be"), "{one}");
    }

    #[test]
    fn findings_are_bounded() {
        let names: Vec<String> = (0..BREAKS_MAX + 5).map(|n| format!("a{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let current = plugin(typed("Pay", None, None), &names, &[]);
        let new = plugin(typed("Pay", None, None), &[], &[]);
        assert_eq!(breaks(&current, &new).len(), BREAKS_MAX);
    }
}
