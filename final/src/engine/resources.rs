//! What a container may use: memory, processors, processes.

use bollard_stubs::models::HostConfig;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    LinuxCpuBuilder, LinuxMemoryBuilder, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder,
};

use super::limits::MOST_PROCESSES;

/// The limits of a container. Whether the machine can give them is the monitor's to find out.
pub fn resources(host: &HostConfig) -> Result<LinuxResources, OciSpecError> {
    let mut resources = LinuxResourcesBuilder::default();
    let limit = host.memory.filter(|memory| *memory > 0);
    let no_killing = host.oom_kill_disable == Some(true);
    if limit.is_some() || no_killing || host.memory_reservation.is_some_and(|value| value > 0) {
        let mut memory = LinuxMemoryBuilder::default();
        if no_killing {
            memory = memory.disable_oom_killer(true);
        }
        if let Some(limit) = limit {
            // Memory and swap together: twice the memory unless told otherwise; -1 is no limit.
            let swap = host.memory_swap.filter(|swap| *swap != 0).unwrap_or(limit.saturating_mul(2));
            memory = memory.limit(limit).swap(swap);
        }
        if let Some(reservation) = host.memory_reservation.filter(|value| *value > 0) {
            memory = memory.reservation(reservation);
        }
        resources = resources.memory(memory.build()?);
    }
    let mut cpu = LinuxCpuBuilder::default();
    let mut limited = false;
    if let Some(nano) = host.nano_cpus.filter(|nano| *nano > 0) {
        // 1.5 CPUs are 150 ms of each 100 ms.
        cpu = cpu.period(100_000u64).quota(nano / 10_000);
        limited = true;
    }
    if let Some(period) = host.cpu_period.filter(|value| *value > 0) {
        cpu = cpu.period(period as u64);
        limited = true;
    }
    if let Some(quota) = host.cpu_quota.filter(|value| *value > 0) {
        cpu = cpu.quota(quota);
        limited = true;
    }
    if let Some(shares) = host.cpu_shares.filter(|value| *value > 0) {
        cpu = cpu.shares(shares as u64);
        limited = true;
    }
    for (text, set) in [(&host.cpuset_cpus, true), (&host.cpuset_mems, false)] {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            cpu = if set { cpu.cpus(text.clone()) } else { cpu.mems(text.clone()) };
            limited = true;
        }
    }
    if limited {
        resources = resources.cpu(cpu.build()?);
    }
    if let Some(limit) = host.pids_limit.filter(|limit| *limit > 0) {
        let limit = limit.min(MOST_PROCESSES as i64);
        resources = resources.pids(LinuxPidsBuilder::default().limit(limit).build()?);
    }
    resources.build()
}
