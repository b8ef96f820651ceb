//! What is refused at upload, and what is said of what passes.

use bytes::Bytes;
use tenterhook_domain::{
    Code,
    check::{CHECKS, Severity},
    component::{
        COMPONENT_BYTES_MAX, Inspection, InspectionContext, Inspector as _, MessageType, Metadata,
    },
    grant::{Grants, HttpGrant},
};

use crate::{Place, guest, handmade, plugin};

/// A list of one workflow type, `Pay`, in WAT.
const LISTS_PAY: &str = r"
    (i32.store (i32.const 64) (i32.const 512)) (i32.store (i32.const 68) (i32.const 1))
    (i32.store (i32.const 512) (i32.const 640)) (i32.store (i32.const 516) (i32.const 3))
    (i32.store (i32.const 640) (i32.const 0x796150))";

pub(crate) async fn inspect(bytes: impl Into<Bytes>, name: &str) -> Inspection {
    inspect_with(bytes, name, &Grants::default(), None).await
}

async fn inspect_with(
    bytes: impl Into<Bytes>,
    name: &str,
    grants: &Grants,
    current: Option<&Metadata>,
) -> Inspection {
    let context = InspectionContext {
        plugin: &plugin(name),
        grants,
        current,
    };
    Place::new()
        .sandbox
        .inspect(context, bytes.into(), &|_| {})
        .await
        .unwrap()
}

/// Holds the check that refuses `bytes` against `code` and what it says.
async fn check_refused(bytes: impl Into<Bytes>, code: Code, says: &[&str]) {
    refusal_is(&inspect(bytes, "payment").await, code, says);
}

#[track_caller]
pub(crate) fn refusal_is(found: &Inspection, code: Code, says: &[&str]) {
    let refusal = found.refusal().unwrap();
    assert_eq!(refusal.code.as_deref(), Some(code.as_str()), "{refusal:?}");
    assert_eq!(
        found.checks.last(),
        Some(refusal),
        "nothing is looked at after it"
    );
    for part in says {
        assert!(refusal.detail.contains(part), "{part:?} in {refusal:?}");
    }
}

#[tokio::test]
async fn a_plugin_of_ours_passes() {
    let found = inspect(guest("payment"), "payment").await;
    let names: Vec<&str> = found
        .checks
        .iter()
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "component",
            "imports",
            "exports",
            "compiles",
            "instantiates",
            "metadata",
            "schemas",
            "grants",
            "determinism",
            "compatibility"
        ]
    );
    let places = names
        .iter()
        .map(|name| CHECKS.iter().position(|it| it == name));
    assert!(places.is_sorted(), "{names:?} in the order of {CHECKS:?}");
    let grants = &found.checks[7];
    assert_eq!(grants.severity, Severity::Warning);
    assert!(grants.detail.contains("config:gateway_url"), "{grants:?}");
    assert_eq!(found.metadata.name.as_deref(), Some("payment"));
    assert!(found.metadata.version.is_some());
    let [workflow, _] = &found.metadata.workflows[..] else {
        panic!("{:?}", found.metadata.workflows)
    };
    assert_eq!(workflow.definition.name, "ProcessPayment");
    assert!(workflow.definition.input_schema.is_some());
    assert!(workflow.queries.iter().any(|query| query.name == "status"));
    assert!(
        workflow
            .updates
            .iter()
            .any(|update| update.name == "cancel")
    );
    assert!(
        found
            .metadata
            .activities
            .iter()
            .any(|activity| activity.name == "ProcessPaymentGateway")
    );
    assert!(
        found
            .metadata
            .wants
            .http
            .contains(&"config:gateway_url".to_owned())
    );
}

#[tokio::test]
async fn a_plugin_of_temporals_sdk_alone_passes() {
    let found = inspect(guest("test-native-sdk"), "anything").await;
    assert_eq!(found.metadata.name, None);
    let names: Vec<&str> = found
        .metadata
        .workflows
        .iter()
        .map(|workflow| workflow.definition.name.as_str())
        .collect();
    assert_eq!(names, ["Echo", "TimerThenSignal"]);
    let signals = &found.metadata.workflows[1].signals;
    assert_eq!(signals[0].name, "release");
}

#[tokio::test]
async fn another_plugins_name_is_a_lie() {
    let found = inspect(guest("payment"), "shop").await;
    refusal_is(
        &found,
        Code::ComponentMetadataInvalid,
        &["\"payment\"", "shop"],
    );
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    check_refused(Bytes::new(), Code::ComponentInvalid, &["not WebAssembly"]).await;
    check_refused("#!/bin/sh", Code::ComponentInvalid, &["#!/bin/s"]).await;
    check_refused(
        wat::parse_str("(module)").unwrap(),
        Code::ComponentIsCoreModule,
        &["wasm32-wasip2"],
    )
    .await;
    let whole = guest("payment");
    check_refused(
        whole[..whole.len() / 2].to_vec(),
        Code::ComponentInvalid,
        &["at byte"],
    )
    .await;
    let mut broken = whole;
    let middle = broken.len() / 2;
    for byte in &mut broken[middle..middle + 64] {
        *byte = 0xff;
    }
    check_refused(broken, Code::ComponentInvalid, &["at byte"]).await;
    check_refused(
        vec![0; COMPONENT_BYTES_MAX + 1],
        Code::ComponentTooLarge,
        &["33554432"],
    )
    .await;
}

#[tokio::test]
async fn unknown_imports_are_named() {
    for (import, instead) in [
        ("wasi:blobstore/container@0.2.0", "object store"),
        ("wasi:http/incoming-handler@0.2.6", "export activities"),
        ("wasi:cli/stdout@0.3.0", "wasm32-wasip2"),
        ("acme:secrets/store@1.0.0", "acme:secrets/store@1.0.0"),
    ] {
        let component =
            wat::parse_str(format!(r#"(component (import "{import}" (instance)))"#)).unwrap();
        check_refused(component, Code::ComponentImportUnknown, &[import, instead]).await;
    }
}

#[tokio::test]
async fn imports_of_other_types_are_refused() {
    let component = wat::parse_str(
        r#"(component
            (import "wasi:cli/environment@0.2.0" (instance
                (export "get-environment" (func (result u32)))))
            (instance $empty)
            (export "temporal:workflow-runtime/workflow-guest@0.1.0" (instance $empty)))"#,
    )
    .unwrap();
    check_refused(
        component,
        Code::ComponentImportUnknown,
        &["wasi:cli/environment", "get-environment"],
    )
    .await;
}

#[tokio::test]
async fn exports_must_be_there_and_fit() {
    check_refused(
        wat::parse_str("(component)").unwrap(),
        Code::ComponentExportInvalid,
        &["nothing to run"],
    )
    .await;
    let empty = r#"(component (instance $empty) (export "NAME" (instance $empty)))"#;
    for (name, says) in [
        (
            "temporal:workflow-runtime/workflow-guest@0.1.0",
            "list-workflows",
        ),
        ("temporal:workflow-runtime/workflow-guest@0.2.0", "0.1.0"),
        ("tenterhook:plugin/activities@0.1.0", "metadata"),
    ] {
        let component = wat::parse_str(empty.replace("NAME", name)).unwrap();
        check_refused(component, Code::ComponentExportInvalid, &[says]).await;
    }
}

#[tokio::test]
async fn a_component_that_does_not_answer_is_refused() {
    for (list, says) in [
        ("(loop $l (br $l))", "guest-fuel-exhausted"),
        ("unreachable", "guest-trapped"),
        (
            "(drop (memory.grow (i32.const 20000)))",
            "guest-memory-exceeded",
        ),
        // A list of four billion workflows.
        (
            "(i32.store (i32.const 64) (i32.const 0)) (i32.store (i32.const 68) (i32.const -1))",
            "guest-trapped",
        ),
    ] {
        let component = handmade::Workflow {
            list,
            ..handmade::Workflow::default()
        }
        .component();
        check_refused(component, Code::ComponentMetadataInvalid, &[says]).await;
    }
}

#[tokio::test]
async fn each_check_is_announced_as_it_begins() {
    let announced = std::sync::Mutex::new(Vec::new());
    let context = InspectionContext {
        plugin: &plugin("test-native-sdk"),
        grants: &Grants::default(),
        current: None,
    };
    let watch = |name| announced.lock().unwrap().push(name);
    let bytes = guest("test-native-sdk").into();
    let found = Place::new().sandbox.inspect(context, bytes, &watch).await;
    let found = found.unwrap().checks;
    let names: Vec<&str> = found.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(*announced.lock().unwrap(), names);
}

#[tokio::test]
async fn imports_are_listed_by_name() {
    let found = inspect(guest("payment"), "payment").await;
    let imports = &found.checks[1].detail;
    for import in [
        "\"wasi:http/outgoing-handler@0.2",
        "\"temporal:workflow-runtime/workflow-host@0.1.0\"",
    ] {
        assert!(imports.contains(import), "{import} in {imports}");
    }
}

#[tokio::test]
async fn what_is_granted_is_not_warned_of() {
    let grants = Grants {
        http: vec![HttpGrant {
            host: "api.test".to_owned(),
            methods: Vec::new(),
        }],
        keyvalue: true,
        config: true,
        ..Grants::default()
    };
    let found = inspect_with(guest("payment"), "payment", &grants, None).await;
    assert_eq!(found.checks[7].severity, Severity::Passed, "{found:?}");
}

#[tokio::test]
async fn a_type_that_traps_when_it_begins_is_refused() {
    for (instantiate, says) in [
        ("unreachable", "guest-trapped"),
        ("(loop $l (br $l))", "guest-"),
    ] {
        let component = handmade::Workflow {
            list: LISTS_PAY,
            instantiate,
            ..handmade::Workflow::default()
        }
        .component();
        check_refused(
            component,
            Code::ComponentInstantiateFailed,
            &["\"Pay\"", "no input", says],
        )
        .await;
    }
}

#[tokio::test]
async fn a_type_that_decides_by_replay_is_refused() {
    let found = inspect(guest("test-two-minds"), "test-two-minds").await;
    refusal_is(
        &found,
        Code::ComponentNotDeterministic,
        &[
            "\"Waits\"",
            "activation 2, command 1",
            "StartTimer 2.000 s",
            "StartTimer 3.000 s",
        ],
    );
    assert_eq!(
        found.metadata.workflows.len(),
        1,
        "what was found before stays"
    );
}

#[tokio::test]
async fn what_callers_would_miss_is_a_warning_each() {
    let bytes = guest("payment");
    let mut current = inspect(bytes.clone(), "payment").await.metadata;
    let found = inspect_with(bytes.clone(), "payment", &Grants::default(), Some(&current)).await;
    assert_eq!(found.checks[9].severity, Severity::Passed, "{found:?}");
    let workflow = &mut current.workflows[0];
    workflow.definition.input_schema = None;
    workflow.signals.push(MessageType {
        name: "hurry".to_owned(),
        ..MessageType::default()
    });
    let found = inspect_with(bytes, "payment", &Grants::default(), Some(&current)).await;
    assert!(found.refusal().is_none());
    let warnings: Vec<&str> = found.checks[9..]
        .iter()
        .filter(|check| check.name == "compatibility" && check.severity == Severity::Warning)
        .map(|check| check.detail.as_str())
        .collect();
    assert!(warnings.len() >= 2, "{found:?}");
    let all = warnings.join("\n");
    assert!(
        all.contains("signal \"hurry\" of workflow \"ProcessPayment\": it is gone"),
        "{all}"
    );
    assert!(
        all.contains("workflow \"ProcessPayment\", input at"),
        "{all}"
    );
}
