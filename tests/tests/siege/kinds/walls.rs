//! Running against walls: names, ids and places that are the host's, another plugin's, another tenant's.

use serde_json::{Value, json};

use super::{HOSTILE, Kind, Seen, activity, attempt, workflow};
use crate::besieger::Place;

const REFUSED: &str = "command-refused";
const DENIED: &str = "guest-capability-denied";
const TRAPPED: &str = "guest-trapped";
const MALFORMED: &str = "guest-malformed";

const GARBAGE: &[(&str, &str)] = &[
    ("InstantiateGarbage", MALFORMED),
    ("ActivateGarbage", MALFORMED),
    ("CommandGarbage", MALFORMED),
    ("CommandCutShort", MALFORMED),
    ("CommandEmpty", MALFORMED),
    ("ResultGarbage", MALFORMED),
    ("FailureGarbage", MALFORMED),
    ("TaskFailureGarbage", MALFORMED),
    ("ContinueGarbage", MALFORMED),
    ("CountTooLow", MALFORMED),
    ("CountTooHigh", MALFORMED),
    ("KindWrong", MALFORMED),
    ("RoutineUnknown", MALFORMED),
    ("CompletionWrong", MALFORMED),
    ("InterceptorStuck", "non-deterministic"),
    ("InstantiateTraps", TRAPPED),
    ("ProgressForever", "guest-deadline-exceeded"),
];

const WORKFLOWS: &[(&str, &str)] = &[
    ("Panics", TRAPPED),
    ("Overflows", TRAPPED),
    ("Sleeps", DENIED),
    ("ForgesPin", REFUSED),
    ("CallsStranger", REFUSED),
];

/// What workflow code asks the world for by the standard library.
const PROBES: &[(&str, Seen)] = &[
    ("tcp_connect", Seen::Task(DENIED)),
    ("tcp_bind", Seen::Task(DENIED)),
    ("udp_bind", Seen::Task(DENIED)),
    ("lookup", Seen::Task(DENIED)),
    ("condvar", Seen::Task(DENIED)),
    ("recv_timeout", Seen::Task("guest-fuel-exhausted")),
    ("exit", Seen::Task(TRAPPED)),
    ("abort", Seen::Task(TRAPPED)),
    ("file_open", Seen::Answers("NotFound")),
    ("var", Seen::Answers("NotPresent")),
    ("spawn", Seen::Answers("Unsupported")),
    ("command", Seen::Answers("Unsupported")),
];

/// What activities ask it for.
const ESCAPES: &[(&str, &str)] = &[
    ("file", "file: "),
    ("folder", "folder: "),
    ("connection", "connection: "),
    ("listener", "listener: "),
    ("datagram", "datagram: "),
    ("program", "program: Unsupported"),
    ("thread", "thread: Unsupported"),
    ("exit", TRAPPED),
];

/// Ways to another plugin of the scope. `victim` is an execution of one.
const PLUGINS: &[(&str, &str)] = &[
    ("activity", "payment.Charge"),
    ("local_activity", "payment.Charge"),
    ("child", "payment.ProcessPayment"),
    ("continue", "payment.ProcessPayment"),
    ("replace", "victim"),
    ("signal", "victim"),
    ("cancel", "victim"),
];

/// Ids of other tenants and environments. To who asks, they are ids of its own, under which nothing runs.
const SCOPES: &[(&str, &str)] = &[
    ("signal", "good/production/victim"),
    ("cancel", "good/production/victim"),
    ("signal", "staging/victim"),
    ("cancel", "staging/victim"),
];

pub(super) fn all() -> Vec<Kind> {
    let garbage = GARBAGE
        .iter()
        .map(|&(name, code)| workflow("test-garbage", name, Value::Null, Seen::Task(code)));
    let workflows = WORKFLOWS
        .iter()
        .map(|&(name, code)| workflow(HOSTILE, name, Value::Null, Seen::Task(code)));
    let probes = PROBES.iter().map(|&(name, seen)| {
        workflow("test-std", "Probe", json!(name), seen).named(&format!("probe-{name}"))
    });
    let escapes = ESCAPES
        .iter()
        .map(|&(way, code)| attempt(&format!("escape-{way}"), "Escape", &json!(way), code));
    let kinds = garbage.chain(workflows).chain(probes).chain(escapes);
    kinds
        .chain(of_the_scope())
        .chain(of_requests())
        .chain([
            activity("Panic", &json!("on purpose"), Seen::Attempt(TRAPPED)),
            activity("Overflow", &Value::Null, Seen::Attempt(TRAPPED)),
        ])
        .collect()
}

fn of_the_scope() -> impl Iterator<Item = Kind> {
    let reach = |way: &str, what: &str, seen| {
        let name = format!("{way}-{}", what.replace(['/', '.'], "-"));
        workflow(HOSTILE, "Reaches", json!({ way: what }), seen).named(&name)
    };
    let plugins = PLUGINS
        .iter()
        .map(move |(way, what)| reach(way, what, Seen::Task(REFUSED)));
    let scopes = SCOPES
        .iter()
        .map(move |(way, what)| reach(way, what, Seen::Answers("not found")));
    let foreign = Seen::Attempt("this release has no activity");
    let types = [reach("activity", "good/production/bench.Noop", foreign)];
    let push = |what: &str, code| {
        workflow(HOSTILE, "Pushes", json!(what), Seen::Task(code)).named(&format!("push-{what}"))
    };
    let pushed = [
        push("nexus", "command-unsupported"),
        push("header", REFUSED),
        push("attribute", REFUSED),
        push("memo", REFUSED),
        push("end", REFUSED),
    ];
    plugins.chain(scopes).chain(types).chain(pushed)
}

fn of_requests() -> impl Iterator<Item = Kind> {
    let send = |name: &str, what: Value, code| attempt(name, "Send", &what, code);
    let echo = "config:echo_url";
    let metadata = "http://169.254.169.254/latest";
    let secret = "Bearer {{secret:api-key}}";
    let keep = json!({ "keys": 1, "key_bytes": 1, "value_bytes": 1 });
    let insist = json!({ "to": "config:dead_url", "times": 20 });
    let prohibited = "DestinationIpProhibited";
    let denied = "HttpRequestDenied";
    let plain = [
        send("private-address", json!({ "to": echo }), prohibited),
        attempt("state-not-granted", "Keep", &keep, "AuthorizationError"),
    ];
    let sized = [
        send("metadata-service", json!({ "to": metadata }), prohibited),
        send(
            "host-unwanted",
            json!({ "to": "http://elsewhere.example/" }),
            denied,
        ),
        send(
            "host-not-granted",
            json!({ "to": "config:silent_url" }),
            denied,
        ),
        send(
            "method-not-granted",
            json!({ "to": echo, "deletes": true }),
            denied,
        ),
        send(
            "secret-not-granted",
            json!({ "to": echo, "authorization": secret }),
            "secret-not-granted",
        ),
        attempt("circuit-open", "Insist", &insist, "outbound-circuit-open"),
    ];
    let sized = sized.map(|kind| kind.at(Place::Sized));
    plain.into_iter().chain(sized)
}
