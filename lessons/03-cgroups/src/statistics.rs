//! What a group has used, read alike from both versions.

use std::collections::BTreeMap;

/// A snapshot. `None` stands for a controller that this machine doesn't have or doesn't give.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Memory.
    pub memory: Option<Memory>,
    /// Processor time.
    pub cpu: Option<CpuTime>,
    /// Processes and threads.
    pub pids: Option<Pids>,
    /// Reading and writing of block devices; one entry each that was used.
    pub block_io: Option<Vec<BlockIo>>,
}

/// Bytes of memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// In use now, with the files that the kernel keeps for it.
    pub used: u64,
    /// The most that was ever in use (version 2: since Linux 5.19).
    pub peak: Option<u64>,
    /// The limit.
    pub limit: Option<u64>,
    /// Swap in use now, where the kernel counts it.
    pub swap: Option<u64>,
    /// Of `used`, files that nobody has looked at for a while. The kernel takes them back first, so
    /// Docker doesn't count them as used.
    pub inactive_file: u64,
    /// How many processes the kernel has killed for want of memory.
    pub oom_kills: u64,
    /// The whole of `memory.stat`, in the words of its version.
    pub details: BTreeMap<String, u64>,
}

/// Nanoseconds of processor time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CpuTime {
    /// Altogether.
    pub total: u64,
    /// Of that, in the programs themselves.
    pub user: u64,
    /// Of that, in the kernel for them.
    pub system: u64,
    /// By processor (version 1 only).
    pub by_processor: Vec<u64>,
    /// How many periods there were with somebody running, where there is a limit.
    pub periods: u64,
    /// In how many of these it was stopped because its quota was used up.
    pub throttled_periods: u64,
    /// For how long.
    pub throttled: u64,
}

/// Processes and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pids {
    /// Now.
    pub current: u64,
    /// The limit.
    pub limit: Option<u64>,
    /// How many times somebody wanted more.
    pub refused: u64,
}

/// One block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockIo {
    /// Its number.
    pub major: u32,
    /// Its number.
    pub minor: u32,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// How many reads.
    pub reads: u64,
    /// How many writes.
    pub writes: u64,
}
