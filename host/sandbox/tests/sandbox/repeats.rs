//! Where the same code could see something else the second time, and does not: memory that another had before, numbers
//! that are none, and what the host counts out: addresses and handles.

use std::sync::Arc;

use tenterhook_sandbox::SandboxConfig;
use tenterhook_workflow::guest::{Fault, Instance, Module};

use crate::{
    Place, config, handmade, owner,
    workflow::{NOON, computed, handmade_module, init, make, start},
};

/// Pages that an instance grows by.
const GROWN: u32 = 31;
/// Where nothing of the handmade code or of what it is given lies.
const UNUSED: u32 = 60_000;

/// A place with room for one workflow instance: each takes the memory of the one before.
async fn of_one(made: &handmade::Workflow<'_>) -> (Place, Arc<dyn Module>) {
    let aot_dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot");
    let place = Place::of(SandboxConfig {
        workflow_instances: 1,
        ..config(&aot_dir)
    });
    let component = place.load(&made.component()).await;
    let owner = owner(component.digest());
    let module = component.workflows(Arc::default(), owner).unwrap();
    (place, module)
}

/// The commands of the first activation of a new instance, which is then gone.
fn first_commands(module: &Arc<dyn Module>) -> Vec<Vec<u8>> {
    let mut instance = make(module, NOON);
    instance.activate(&start(), NOON).unwrap();
    instance.take_commands()
}

/// Counts the bytes that are not zero from `from` to the end of memory, and hands on the number.
fn count_dirt(from: u32) -> String {
    format!(
        "(local.set $at (i32.const {from}))
         (loop $next
            (if (i32.load8_u (local.get $at)) (then (local.set $dirt (i32.add (local.get $dirt) (i32.const 1)))))
            (br_if $next (i32.lt_u
                (local.tee $at (i32.add (local.get $at) (i32.const 1)))
                (i32.mul (memory.size) (i32.const 65536)))))
         (i32.store (i32.const 512) (local.get $dirt))
         (call $push (i32.const 512) (i32.const 4))"
    )
}

/// Each instance looks through its memory, what it begins with and what it grows by, and then fills all of it.
#[tokio::test]
async fn memory_is_zero_whoever_had_it_before() {
    let activate = format!(
        "(local $at i32) (local $dirt i32)
         {}
         (drop (memory.grow (i32.const {GROWN})))
         {}
         (memory.fill (i32.const {UNUSED}) (i32.const 0xa5)
            (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const {UNUSED})))",
        count_dirt(UNUSED),
        count_dirt(65_536),
    );
    let made = handmade::Workflow {
        activate: &activate,
        ..handmade::Workflow::default()
    };
    let (_place, module) = of_one(&made).await;
    for number in 0..3 {
        let dirt = first_commands(&module);
        assert_eq!(dirt, [vec![0; 4], vec![0; 4]], "instance {number}");
    }
    // That it fills what it had is seen where it looks again.
    let mut instance = make(&module, NOON);
    instance.activate(&start(), NOON).unwrap();
    instance.take_commands();
    instance.activate(&start(), NOON).unwrap();
    let again = instance.take_commands();
    let all = (1 + GROWN) * 65_536 - UNUSED;
    assert_eq!(again[0], all.to_le_bytes(), "the fill is found");
}

/// The same of memories that are not the first, of tables and of globals.
#[tokio::test]
async fn tables_globals_and_further_memories_begin_anew() {
    let activate = "
        (drop (table.grow $many (ref.null func) (i32.const 500)))
        (i32.store (i32.const 512) (i32.eqz (ref.is_null (table.get $many (i32.const 400)))))
        (i32.store (i32.const 516) (global.get $counter))
        (i32.store (i32.const 520) (i32.load $other (i32.const 70000)))
        (i32.store (i32.const 524) (table.size $many))
        (call $push (i32.const 512) (i32.const 16))
        (table.fill $many (i32.const 0) (ref.func $alloc) (table.size $many))
        (global.set $counter (i32.const 7))
        (memory.fill $other (i32.const 0) (i32.const 0xa5) (i32.const 131072))";
    let made = handmade::Workflow {
        functions: "(table $many 1 funcref) (global $counter (mut i32) (i32.const 0)) (memory $other 2)",
        activate,
        ..handmade::Workflow::default()
    };
    let (_place, module) = of_one(&made).await;
    let expected: Vec<u8> = [0, 0, 0, 501_u32]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    for number in 0..3 {
        assert_eq!(first_commands(&module), [&*expected], "instance {number}");
    }
}

/// What lies beyond memory is no value at all: the task fails, and in the same way each time.
#[tokio::test]
async fn beyond_memory_there_is_nothing_to_see() {
    for beyond in [
        "(i32.load (i32.const 65533))",
        "(i32.load offset=4294967295 (i32.const 0))",
        "(i32.load8_u (i32.const -1))",
    ] {
        let activate = format!("(drop {beyond})");
        let made = handmade::Workflow {
            activate: &activate,
            ..handmade::Workflow::default()
        };
        let (_place, module) = handmade_module(made, Arc::default()).await;
        let mut faults: Vec<Fault> = Vec::new();
        for _ in 0..2 {
            faults.push(make(&module, NOON).activate(&start(), NOON).unwrap_err());
        }
        assert_eq!(faults[0], faults[1], "{beyond}");
        let Fault::Dead { message, .. } = &faults[0] else {
            panic!("{faults:?}")
        };
        assert!(message.contains("outside its memory"), "{message}");
    }
}

/// Corners where processors, or the compilers for them, differ: which zero, which bits, what becomes of what does not fit.
#[tokio::test]
async fn numbers_have_the_same_bits_everywhere() {
    const NAN: u64 = 0x7ff8_0000_0000_0000;
    const NAN_32: u64 = 0x7fc0_0000;
    /// One that no arithmetic makes: it has a sign and a payload.
    const ODD: &str = "(f64.reinterpret_i64 (i64.const 0xfff0000000000123))";
    const ODD_32: &str = "(f32.reinterpret_i32 (i32.const 0xff800123))";
    let of =
        |instruction: &str, operands: &[&str]| format!("({instruction} {})", operands.join(" "));
    let (zero, minus, one) = ("(f64.const 0)", "(f64.const -0)", "(f64.const 1)");
    let f64s = [
        (of("f64.min", &[zero, minus]), 1 << 63),
        (of("f64.min", &[minus, zero]), 1 << 63),
        (of("f64.max", &[minus, zero]), 0),
        (of("f64.max", &[zero, minus]), 0),
        (of("f64.min", &[ODD, one]), NAN),
        (of("f64.max", &[one, ODD]), NAN),
        (of("f64.add", &[zero, minus]), 0),
        (of("f64.mul", &[minus, one]), 1 << 63),
        (of("f64.sub", &["(f64.const inf)", "(f64.const inf)"]), NAN),
        (of("f64.sqrt", &[minus]), 1 << 63),
        (of("f64.ceil", &[ODD]), NAN),
        (of("f64.floor", &[ODD]), NAN),
        (of("f64.trunc", &[ODD]), NAN),
        (of("f64.nearest", &["(f64.const 0.5)"]), 0),
        (of("f64.nearest", &["(f64.const -0.5)"]), 1 << 63),
        (of("f64.nearest", &["(f64.const 2.5)"]), 2_f64.to_bits()),
        (of("f64.ceil", &["(f64.const -0.9)"]), 1 << 63),
        (of("f64.promote_f32", &[ODD_32]), NAN),
        // These move bits and compute nothing.
        (of("f64.neg", &[ODD]), 0x7ff0_0000_0000_0123),
        (of("f64.abs", &[ODD]), 0x7ff0_0000_0000_0123),
        (of("f64.copysign", &[one, ODD]), (-1_f64).to_bits()),
        (ODD.to_owned(), 0xfff0_0000_0000_0123),
        // The nearest that there is, ties to even.
        (
            of("f64.convert_i64_u", &["(i64.const -1)"]),
            18_446_744_073_709_551_616_f64.to_bits(),
        ),
        (
            of("f64.convert_i64_s", &["(i64.const 9007199254740993)"]),
            9_007_199_254_740_992_f64.to_bits(),
        ),
        (
            of("f64.div", &["(f64.const 0x1p-1074)", "(f64.const 2)"]),
            0,
        ),
        (
            of(
                "f64.add",
                &["(f64.const 0x1p-1074)", "(f64.const 0x1p-1074)"],
            ),
            2,
        ),
    ];
    let i64s = [
        (of("i64.trunc_sat_f64_s", &[ODD]), 0),
        (
            of("i64.trunc_sat_f64_s", &["(f64.const inf)"]),
            i64::MAX as u64,
        ),
        (
            of("i64.trunc_sat_f64_s", &["(f64.const -inf)"]),
            i64::MIN as u64,
        ),
        (of("i64.trunc_sat_f64_u", &["(f64.const -1)"]), 0),
        (of("i64.trunc_sat_f64_u", &["(f64.const 1e300)"]), u64::MAX),
        (
            of(
                "i64.extend_i32_u",
                &["(i32.trunc_sat_f32_s (f32.const 3e9))"],
            ),
            i32::MAX as u64,
        ),
        (of("i64.shl", &["(i64.const 1)", "(i64.const 65)"]), 2),
        (
            of(
                "i64.rem_s",
                &["(i64.const 0x8000000000000000)", "(i64.const -1)"],
            ),
            0,
        ),
        (of("i64.clz", &["(i64.const 0)"]), 64),
        (of("i64.ctz", &["(i64.const 0)"]), 64),
    ];
    let f32s = [
        (of("f32.demote_f64", &[ODD]), NAN_32),
        (
            of("f32.demote_f64", &["(f64.const 1e300)"]),
            u64::from(f32::INFINITY.to_bits()),
        ),
        (of("f32.demote_f64", &["(f64.const -1e-300)"]), 1 << 31),
        (of("f32.min", &[ODD_32, "(f32.const 1)"]), NAN_32),
        (of("f32.max", &["(f32.const -0)", "(f32.const 0)"]), 0),
        (
            of("f32.convert_i32_s", &["(i32.const 16777217)"]),
            u64::from(16_777_216_f32.to_bits()),
        ),
        (of("f32.neg", &[ODD_32]), 0x7f80_0123),
    ];
    let rows = [
        ("f64.store", f64s.to_vec()),
        ("i64.store", i64s.to_vec()),
        ("f32.store", f32s.to_vec()),
    ];
    let rows: Vec<_> = rows
        .iter()
        .flat_map(|(store, rows)| rows.iter().map(move |row| (store, row)))
        .collect();
    let mut activate = String::new();
    for (number, (store, (made, _))) in rows.iter().enumerate() {
        activate.push_str(&format!(
            "({store} (i32.const {}) {made})",
            512 + 8 * number
        ));
    }
    let bits = computed(&activate, 8 * rows.len()).await;
    for ((_, (made, expected)), bits) in rows.iter().zip(bits.chunks(8)) {
        let bits = u64::from_le_bytes(bits.try_into().unwrap());
        assert_eq!(bits, *expected, "{made} is {bits:#x}");
    }
}

/// The same in each lane of a vector.
#[tokio::test]
async fn lanes_have_the_same_bits_everywhere() {
    let odd = "(i64x2.splat (i64.const 0xfff0000000000123))";
    for (made, expected) in [
        (
            format!("(f64x2.min {odd} (f64x2.splat (f64.const 1)))"),
            0x7ff8_0000_0000_0000_u64,
        ),
        (format!("(f64x2.sqrt {odd})"), 0x7ff8_0000_0000_0000),
        // The first operand where neither is the lesser.
        (
            format!("(f64x2.pmin {odd} (f64x2.splat (f64.const 1)))"),
            0xfff0_0000_0000_0123,
        ),
        (format!("(f64x2.neg {odd})"), 0x7ff0_0000_0000_0123),
        (format!("(i32x4.trunc_sat_f64x2_s_zero {odd})"), 0),
    ] {
        let bits = computed(&format!("(v128.store (i32.const 512) {made})"), 8).await;
        assert_eq!(bits, expected.to_le_bytes(), "{made}");
    }
}

/// What does not fit a number fails, rather than being whatever the processor makes of it.
#[tokio::test]
async fn what_does_not_fit_a_number_fails() {
    for (made, why) in [
        ("(i32.trunc_f64_s (f64.const nan))", "invalid conversion"),
        (
            "(i32.trunc_f64_s (f64.const 2147483648))",
            "integer overflow",
        ),
        (
            "(i32.div_s (i32.const 0x80000000) (i32.const -1))",
            "integer overflow",
        ),
        ("(i32.rem_u (i32.const 1) (i32.const 0))", "divide by zero"),
    ] {
        let activate = format!("(drop {made})");
        let made_of = handmade::Workflow {
            activate: &activate,
            ..handmade::Workflow::default()
        };
        let (_place, module) = handmade_module(made_of, Arc::default()).await;
        let fault = make(&module, NOON).activate(&start(), NOON).unwrap_err();
        let Fault::Dead { message, .. } = &fault else {
            panic!("{fault:?}")
        };
        assert!(message.contains(why), "{made}: {message}");
    }
}

/// Addresses that the host asks for, and numbers that it gives to handles: they are values a guest may decide by.
#[tokio::test]
async fn addresses_and_handles_are_the_same_in_each_instance() {
    let made = handmade::Workflow {
        // Where each of the four strings and lists lies, and what the next handle is.
        instantiate: "
            (i32.store (i32.const 512) (local.get 0)) (i32.store (i32.const 516) (local.get 2))
            (i32.store (i32.const 520) (local.get 4)) (i32.store (i32.const 524) (local.get 6))
            (i32.store (i32.const 528) (call $new (i32.const 9)))",
        activate: "
            (i32.store (i32.const 532) (local.get 1))
            (i32.store (i32.const 536) (call $new (i32.const 9)))
            (call $push (i32.const 512) (i32.const 28))",
        ..handmade::Workflow::default()
    };
    let place = Place::new();
    let component = place.load(&made.component()).await;
    let module = |_| {
        component
            .workflows(Arc::default(), owner(component.digest()))
            .unwrap()
    };
    let modules: Vec<_> = (0..2).map(module).collect();
    let seen = |instance: &mut Box<dyn Instance>| {
        instance.activate(&start(), NOON).unwrap();
        instance.take_commands()
    };
    let mut first = make(&modules[0], NOON);
    let before = seen(&mut first);
    assert_eq!(before[0].len(), 28);
    assert_ne!(before[0][..4], [0; 4], "an address");
    // Beside others that live, after others that are gone, and of another run of the program's code.
    let mut beside = make(&modules[1], NOON);
    assert_eq!(seen(&mut beside), before);
    drop((first, beside));
    let mut after = modules[0].instantiate(&init("Any", "null"), NOON).unwrap();
    assert_eq!(seen(&mut after), before);
    let elsewhere = Place::new();
    let component = elsewhere.load(&made.component()).await;
    let module = component.workflows(Arc::default(), owner(component.digest()));
    assert_eq!(seen(&mut make(&module.unwrap(), NOON)), before);
}
