//! What a host's instances hold of the memory that it has for them.

/// The memory of all instances of one host. `sandbox` counts it.
pub trait InstanceMemory: Send + Sync + 'static {
    /// What is held now.
    fn reading(&self) -> MemoryReading;
}

/// What instances held at one moment, in bytes of linear memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryReading {
    /// Held by all instances together.
    pub bytes: u64,
    /// The most that they ever held together, since the host began.
    pub most_bytes: u64,
    /// What they may hold together at most.
    pub budget_bytes: u64,
    /// Memory is short: no new work is polled for.
    pub is_short: bool,
}
