//! The tests say: On the way up the one with swap comes first
    let mut lines = vec![];
    // Memory alone first, always.
    lines.extend(limits.memory.map(|bytes| ("memory", "memory.limit_in_bytes", bytes)));
    lines.extend(limits.memory_and_swap.filter(|_| with_swap.is_some()).map(|both| ("memory", WITH_SWAP, both)));
    lines.extend(limits.memory_reservation.map(|bytes| ("memory", "memory.soft_limit_in_bytes", bytes)));
    lines.extend(limits.oom_kill_disable.then_some(("memory", "memory.oom_control", 1)));
    lines.extend(limits.cpu.map(|cpu| ("cpu", "cpu.cfs_period_us", cpu.period)));
    lines.extend(limits.cpu.map(|cpu| ("cpu", "cpu.cfs_quota_us", cpu.quota)));
    lines.extend(limits.cpu_shares.map(|shares| ("cpu", "cpu.shares", shares)));
    lines.extend(limits.pids.map(|pids| ("pids", "pids.max", pids)));
    lines
