//! Components of more parts than one instance may have: refused at the push, by the name of the limit.

use tenterhook_domain::{Code, limit::Limits};

use crate::{
    handmade,
    inspect::{inspect, refusal_is},
};

/// What `wit-component` makes of a handmade plugin: its own code, and two modules that connect it.
const OWN_INSTANCES: u64 = 3;
/// One of them has a table.
const OWN_TABLES: u64 = 1;
const OWN_MEMORIES: u64 = 1;

fn most(limit: &str) -> u64 {
    let row = Limits::TABLE.iter().find(|row| row.name == limit);
    row.unwrap().highest
}

/// A plugin with `functions`, in WAT, beside its own.
fn with(functions: &str) -> Vec<u8> {
    handmade::Workflow {
        functions,
        ..handmade::Workflow::default()
    }
    .component()
}

/// A plugin that makes so many instances of an empty module beside its own.
fn with_instances(number: u64) -> Vec<u8> {
    const MODULE_SECTION: u8 = 1;
    const INSTANCE_SECTION: u8 = 2;
    const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";
    let mut component = with("");
    component.extend([MODULE_SECTION, 8]);
    component.extend(EMPTY_MODULE);
    let number = u8::try_from(number).unwrap();
    assert!(number < 128, "it is one byte of LEB128");
    // Of the module that was just added, without arguments.
    let instances = [0, u8::try_from(OWN_INSTANCES).unwrap(), 0].repeat(number.into());
    let bytes = u16::try_from(instances.len() + 1).unwrap();
    component.extend([
        INSTANCE_SECTION,
        (bytes & 127) as u8 | 128,
        (bytes >> 7) as u8,
        number,
    ]);
    component.extend(instances);
    component
}

/// Holds that `number` of them pass and one more is refused.
async fn check(limit: &str, number: u64, make: impl Fn(u64) -> Vec<u8>) {
    let passes = inspect(make(number), "payment").await;
    assert_eq!(passes.refusal(), None, "{number} are within {limit}");
    let says = format!("more than {} ", most(limit));
    let refused = inspect(make(number + 1), "payment").await;
    let says = [&*says, limit, "the same for all plugins", "fewer"];
    refusal_is(&refused, Code::ComponentTooLarge, &says);
    assert_eq!(refused.refusal().unwrap().name, "compiles");
}

#[tokio::test]
async fn core_instances_are_bounded() {
    let number = most("core_instances") - OWN_INSTANCES;
    check("core_instances", number, with_instances).await;
}

#[tokio::test]
async fn memories_are_bounded() {
    let memories = |number| with(&"(memory 1)".repeat(usize::try_from(number).unwrap()));
    check("memories", most("memories") - OWN_MEMORIES, memories).await;
}

#[tokio::test]
async fn tables_are_bounded_in_number() {
    let tables = |number| with(&"(table 1 funcref)".repeat(usize::try_from(number).unwrap()));
    check("tables", most("tables") - OWN_TABLES, tables).await;
}

/// More from its start on than can be granted: no instance of it could ever be made.
#[tokio::test]
async fn what_no_grant_could_allow_is_refused() {
    let pages = most("memory_bytes") / 65_536;
    let elements = most("table_elements");
    for (limit, functions) in [
        ("memory_bytes", format!("(memory {})", pages + 1)),
        (
            "table_elements",
            format!("(table {} funcref)", elements + 1),
        ),
    ] {
        let refused = inspect(with(&functions), "payment").await;
        let says = format!("more than {} ", most(limit));
        let says = [&*says, limit, "can be granted"];
        refusal_is(&refused, Code::ComponentTooLarge, &says);
    }
    // Each within what can be granted, and above what is: raising the limit helps, and it is said so.
    for (limit, functions) in [
        ("memory_bytes", format!("(memory {pages})")),
        ("table_elements", format!("(table {elements} funcref)")),
    ] {
        let refused = inspect(with(&functions), "payment").await;
        let raise = format!("raise {limit}");
        let says = ["guest-memory-exceeded", &*raise, "grants"];
        refusal_is(&refused, Code::ComponentMetadataInvalid, &says);
    }
}

/// Globals take memory that is the host's, not the guest's.
#[tokio::test]
async fn what_the_host_keeps_of_an_instance_is_bounded() {
    let globals = "(global i32 (i32.const 0))".repeat(600_000);
    let component = format!(
        r#"(component
            (core module $m {globals})
            (core instance (instantiate $m))
            (core instance (instantiate $m))
            (instance $empty)
            (export "temporal:workflow-runtime/workflow-guest@0.1.0" (instance $empty)))"#
    );
    let refused = inspect(wat::parse_str(component).unwrap(), "payment").await;
    let says = ["16777216 bytes", "globals"];
    refusal_is(&refused, Code::ComponentTooLarge, &says);
}
