//! What a process takes of its machine, by what the kernel says.

use std::fs;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Footprint {
    /// Memory that is its own, in KiB.
    private_kib: u64,
    /// Mappings of memory: the kernel allows only so many.
    mappings: u64,
    /// Open files.
    files: u64,
    threads: u64,
}

/// How much more each may be the second time. Allocators keep some tens of megabytes, more or less as threads happen to
/// run; an input that leaks something does so thousands of times.
const MORE: Footprint = Footprint {
    private_kib: 64 * 1024,
    mappings: 200,
    files: 8,
    threads: 16,
};

impl Footprint {
    /// Of this process, now.
    pub(super) fn now() -> Self {
        let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let dirty = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Private_Dirty:"));
        let kib = dirty.unwrap().split_whitespace().next().unwrap();
        let entries = |folder: &str| fs::read_dir(folder).unwrap().count() as u64;
        Self {
            private_kib: kib.parse().unwrap(),
            mappings: fs::read_to_string("/proc/self/maps")
                .unwrap()
                .lines()
                .count() as u64,
            files: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
        }
    }

    /// Panics where more is held than `before`.
    pub(super) fn check_no_more_than(self, before: Self) {
        for (what, now, then, more) in [
            (
                "KiB",
                self.private_kib,
                before.private_kib,
                MORE.private_kib,
            ),
            ("mappings", self.mappings, before.mappings, MORE.mappings),
            ("files", self.files, before.files, MORE.files),
            ("threads", self.threads, before.threads, MORE.threads),
        ] {
            assert!(now <= then + more, "{what} leak: {before:?}, then {self:?}");
        }
    }
}
