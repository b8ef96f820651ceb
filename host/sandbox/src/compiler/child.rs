//! The child's side: bounds itself, compiles, answers.

use std::{
    any::Any,
    io,
    os::{fd::AsFd as _, unix::net::UnixStream},
    panic::{AssertUnwindSafe, catch_unwind},
};

use rustix::process::{Resource, Rlimit, setrlimit};
use tenterhook_domain::component::COMPONENT_BYTES_MAX;

use super::{Answer, Codes, Order, frame::Wire, side_by_side};
use crate::{engine, processor};

/// Compiles the component that comes over the socket that standard input is, and answers there. For the program that
/// [`CompilerCommand`](super::CompilerCommand) names.
///
/// # Errors
/// When there is nobody to answer to, or the process cannot be bounded.
pub fn compile_stdin() -> io::Result<()> {
    die_with_parent()?;
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let mut wire = Wire::new(UnixStream::from(stdin), None);
    let order: Order = wire.read_value()?;
    check_parent(order.parent)?;
    bound(&order)?;
    let component = wire.read(COMPONENT_BYTES_MAX as u64)?;
    // A compiler that panics refuses the component; what it leaves behind is not used again.
    let compiled = catch_unwind(AssertUnwindSafe(|| compile(&order, &component)));
    match compiled.unwrap_or_else(|panic| Err(words_of(panic.as_ref()))) {
        Err(why) => wire.write_value(&Answer::Refused(why)),
        Ok(codes) => {
            wire.write_value(&Answer::Compiled)?;
            codes.iter().try_for_each(|(_, code)| wire.write(code))
        }
    }
}

fn compile(order: &Order, component: &[u8]) -> Result<Codes, String> {
    let codes = side_by_side(&order.kinds, |kind| {
        engine::compiler(kind)?.precompile_component(component)
    });
    codes.map_err(|error| format!("{error:#}"))
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
    format!(
        "the compiler panicked: {}",
        words.unwrap_or("without a word")
    )
}

/// Bounds this process before it reads anything that is not the host's.
fn bound(order: &Order) -> io::Result<()> {
    processor::give_way()?;
    let limits = [
        // What the process can write to, stacks of threads included; not the program itself, nor address space that
        // is only reserved.
        (Resource::Data, order.memory_bytes),
        (Resource::Cpu, order.cpu_millis.div_ceil(1000)),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        // No more files than it has, and so no sockets: the component came over the one that is there.
        (Resource::Nofile, 0),
    ];
    for (resource, most) in limits {
        // The signal for too much processor time comes at the lower bound, and says what it was.
        let hard = if resource == Resource::Cpu {
            most + 1
        } else {
            most
        };
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(hard),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

/// Has the kernel end this process when the thread that forked it is gone, however that comes.
#[cfg(target_os = "linux")]
fn die_with_parent() -> io::Result<()> {
    let signal = rustix::process::Signal::KILL;
    Ok(rustix::process::set_parent_process_death_signal(Some(
        signal,
    ))?)
}

/// Elsewhere there is no such signal: the child ends with its work.
#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> io::Result<()> {
    Ok(())
}

/// The host may have died before it was asked for the signal; then it will never come.
fn check_parent(expected: u32) -> io::Result<()> {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_pid().unsigned_abs());
    if parent == Some(expected) {
        return Ok(());
    }
    Err(io::ErrorKind::BrokenPipe.into())
}
