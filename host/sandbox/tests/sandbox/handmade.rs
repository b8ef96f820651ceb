//! Components written by hand, to do what no language lets one do.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A workflow guest whose `activate` is `activate`, whose `list-workflows` begins with `list` and whose
/// `instantiate-workflow` begins with `instantiate`, all in WAT; `functions` stand beside them.
///
/// All may call `$call`, which is the function `import` (interface, function, its core type) if one is given.
#[derive(Default)]
pub(crate) struct Workflow<'a> {
    pub(crate) list: &'a str,
    pub(crate) instantiate: &'a str,
    pub(crate) activate: &'a str,
    pub(crate) functions: &'a str,
    pub(crate) import: Import<'a>,
}

const GUEST: &str = "temporal:workflow-runtime/workflow-guest@0.1.0";
const HOST: &str = "temporal:workflow-runtime/workflow-host@0.1.0";

impl Workflow<'_> {
    pub(crate) fn component(&self) -> Vec<u8> {
        encode(&self.module(), &self.world())
    }

    /// Its code, in WAT.
    pub(crate) fn module(&self) -> String {
        let Self {
            list,
            instantiate,
            activate,
            functions,
            ..
        } = self;
        let import = import_of(self.import);
        format!(
            r#"(module
                (import "[export]{GUEST}" "[resource-new]workflow-instance" (func $new (param i32) (result i32)))
                (import "{HOST}" "push-command" (func $push (param i32 i32)))
                {import}
                (memory (export "memory") 1)
                (global $heap (mut i32) (i32.const 32768))
                (func $alloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
                    (global.set $heap (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                {functions}
                (func (export "{GUEST}#list-workflows") (result i32)
                    {list}
                    (i32.const 64))
                (func (export "{GUEST}#instantiate-workflow")
                    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                    {instantiate}
                    (i32.store (i32.const 128) (i32.const 0))
                    (i32.store (i32.const 132) (call $new (i32.const 7)))
                    (i32.const 128))
                (func (export "{GUEST}#[method]workflow-instance.activate") (param i32 i32 i32) (result i32)
                    {activate}
                    (i32.const 192))
                (func (export "{GUEST}#[method]workflow-instance.poll-routine") (param i32 i64) (result i32)
                    (i32.const 256)))"#
        )
    }

    /// What it imports and exports.
    pub(crate) fn world(&self) -> String {
        let import = world_import_of(self.import);
        format!("package test:handmade; world made {{ {import} import {HOST}; export {GUEST}; }}")
    }
}

type Import<'a> = Option<(&'a str, &'a str, &'a str)>;

fn import_of(import: Import<'_>) -> String {
    import.map_or_else(String::new, |(interface, function, ty)| {
        format!(r#"(import "{interface}" "{function}" (func $call {ty}))"#)
    })
}

fn world_import_of(import: Import<'_>) -> String {
    import.map_or_else(String::new, |(interface, ..)| {
        format!("import {interface};")
    })
}

/// An activity guest whose `execute` is `execute` in WAT and may call `$call`, as for [`Workflow`], and `$then`, the
/// function `then` in the same way. It answers with what is in memory from 192 on, nothing at first.
#[derive(Default)]
pub(crate) struct Activity<'a> {
    pub(crate) execute: &'a str,
    pub(crate) import: Import<'a>,
    pub(crate) then: Import<'a>,
}

/// Copies the bytes of the task's first input, as they are, to where the answer is.
pub(crate) const INPUT_TO_ANSWER: &str = r"
    (local $input i32)
    (local.set $input (i32.load offset=8 (local.get 0)))
    (memory.copy (i32.const 192) (i32.load offset=8 (local.get $input)) (i32.load offset=12 (local.get $input)))";

impl Activity<'_> {
    pub(crate) fn component(&self) -> Vec<u8> {
        const ACTIVITIES: &str = "tenterhook:plugin/activities@0.1.0";
        const METADATA: &str = "tenterhook:plugin/metadata@0.1.0";
        let Self { execute, .. } = self;
        let (import, world_import) = (import_of(self.import), world_import_of(self.import));
        let then = import_of(self.then).replace("$call", "$then");
        // An interface is imported once, whatever is called of it.
        let interface = self.import.map(|(interface, ..)| interface);
        let other = |then: &(&str, &str, &str)| Some(then.0) != interface;
        let world_then = world_import_of(self.then.filter(other));
        let module = format!(
            r#"(module
                {import}
                {then}
                (memory (export "memory") 1)
                (global $heap (mut i32) (i32.const 32768))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
                    (global.set $heap (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                (func (export "{METADATA}#describe") (result i32) (i32.const 64))
                (func (export "{ACTIVITIES}#execute") (param i32) (result i32)
                    {execute}
                    (i32.const 192)))"#
        );
        let world = format!(
            "package test:handmade; world made {{ {world_import} {world_then} export {METADATA}; export {ACTIVITIES}; }}"
        );
        encode(&module, &world)
    }
}

/// A component of `module` (WAT) for the only world of `world`, which may use the packages of `wit/`.
fn encode(module: &str, world: &str) -> Vec<u8> {
    try_encode(wat::parse_str(module).unwrap(), world).unwrap()
}

/// The same of a module that may not be right for the world.
pub(crate) fn try_encode(mut module: Vec<u8>, world: &str) -> Option<Vec<u8>> {
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
    resolve.push_dir(wit).unwrap();
    let package = resolve.push_str("handmade.wit", world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().module(&module).ok()?;
    encoder.validate(true).encode().ok()
}
