//! What a process holds of the machine: to see that nothing of it leaks.

use std::fs;
use std::time::{Duration, Instant};

/// What one process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Memory of its own, in KiB: what it has mapped of files is not among it.
    pub memory: u64,
    /// All that is resident, in KiB, as `ps` shows it.
    pub resident: u64,
    /// Its children.
    pub children: usize,
}

impl Footprint {
    /// Of a process, now.
    pub fn of(pid: i32) -> Footprint {
        let count = |folder: &str| fs::read_dir(format!("/proc/{pid}/{folder}")).map_or(0, Iterator::count);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let kibibytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        let (memory, resident) = (kibibytes("RssAnon:"), kibibytes("VmRSS:"));
        let of_thread = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).ok();
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children = threads.filter_map(of_thread).map(|list| list.split_whitespace().count()).sum();
        Footprint { descriptors: count("fd"), threads: count("task"), memory, resident, children }
    }

    /// Waits until the process holds no more than this again, give or take: two descriptors and threads that
    /// are about to end, and this much memory, which an allocator may keep for the next time.
    ///
    /// # Panics
    /// It still holds more after a while.
    #[track_caller]
    pub fn again(self, pid: i32, memory: u64) {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let now = Footprint::of(pid);
            let fits = now.descriptors <= self.descriptors + 2
                && now.threads <= self.threads + 4
                && now.children <= self.children
                && now.memory <= self.memory + memory;
            if fits {
                return;
            }
            assert!(Instant::now() < end, "it holds more than before: {self:?} became {now:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
