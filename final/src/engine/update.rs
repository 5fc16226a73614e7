//! Other limits for a container that is there, and another restart policy: written down, and while it runs
//! told the kernel.

use std::sync::Arc;

use bollard_stubs::models::{ContainerUpdateBody, HostConfig};
use cgroups::{Cgroup, Cpu, Limits, NumberList};

use super::Engine;
use super::containers::Container;
use super::error::{Error, Result, blocking};
use super::limits::{self, MOST_PROCESSES};
use super::restart;

/// Changes what is given, the rest stays. Returns warnings.
///
/// # Errors
/// Values that make no sense, in Docker's words; what the kernel refuses. Nothing is changed then.
pub async fn update(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    wanted: ContainerUpdateBody,
) -> Result<Vec<String>> {
    refuse(&wanted)?;
    let _operation = container.operation.lock().await;
    let old = container.with(|record| record.config.host());
    let mut new = merged(&old, &wanted)?;
    limits::check(&new)?;
    restart::check(&new).map_err(|error| match old.auto_remove {
        Some(true) => {
            Error::invalid("Restart policy cannot be updated because AutoRemove is enabled for the container")
        }
        _ => error,
    })?;
    let process = container.process().ok();
    let (engine2, container2) = (engine.clone(), container.clone());
    let warnings = blocking(move || {
        let warnings = limits::adapt(&engine2, &mut new)?;
        if let Some(process) = process {
            let limits = changed(&old, &new)?;
            if limits.wanted() {
                Cgroup::of(process.pid, &engine2.settings.cgroup_parent, &container2.id)?.update(&limits)?;
            }
        }
        engine2.containers.change(&container2, |record| record.config.body.host_config = Some(new))?;
        Ok(warnings)
    })
    .await
    .map_err(|error| Error {
        message: format!("Cannot update container {}: {}", container.id, error.message),
        ..error
    })?;
    engine.events.container("update", container);
    Ok(warnings)
}

/// What can't be changed, or not by this engine: nothing is left out in silence.
fn refuse(wanted: &ContainerUpdateBody) -> Result<()> {
    let given = |number: Option<i64>| number.is_some_and(|number| number != 0);
    let some = |list: bool, what| if list { Err(Error::unsupported(what)) } else { Ok(()) };
    let throttles = [
        &wanted.blkio_device_read_bps,
        &wanted.blkio_device_write_bps,
        &wanted.blkio_device_read_iops,
        &wanted.blkio_device_write_iops,
    ];
    some(wanted.blkio_weight.is_some_and(|weight| weight != 0), "update of --blkio-weight")?;
    some(
        throttles.iter().any(|list| list.as_ref().is_some_and(|list| !list.is_empty())),
        "update of block I/O",
    )?;
    some(given(wanted.cpu_realtime_period) || given(wanted.cpu_realtime_runtime), "update of real time")?;
    some(wanted.devices.as_ref().is_some_and(|list| !list.is_empty()), "update of devices")?;
    some(wanted.ulimits.as_ref().is_some_and(|list| !list.is_empty()), "update of ulimits")
}

/// The host configuration as it will be.
fn merged(old: &HostConfig, wanted: &ContainerUpdateBody) -> Result<HostConfig> {
    let mut new = old.clone();
    let conflict = |text: &str| Err(Error::invalid(format!("Conflicting options: {text}")));
    let set = |number: Option<i64>| number.filter(|number| *number != 0);
    let (nano, period, quota) = (set(wanted.nano_cpus), set(wanted.cpu_period), set(wanted.cpu_quota));
    if set(old.nano_cpus).is_some() && nano.is_none() && (period.is_some() || quota.is_some()) {
        return conflict("CPU Period or Quota cannot be updated as NanoCPUs has already been set");
    }
    if nano.is_some() && (set(old.cpu_period).is_some() || set(old.cpu_quota).is_some()) {
        return conflict("Nano CPUs cannot be updated as CPU Period or Quota has already been set");
    }
    if let (Some(memory), None) = (set(wanted.memory), set(wanted.memory_swap))
        && let Some(both) = with_swap(old).filter(|both| *both > 0)
        && memory > both
    {
        return Err(Error::invalid(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the \
             same time",
        ));
    }
    for (to, from) in [
        (&mut new.memory, wanted.memory),
        (&mut new.memory_reservation, wanted.memory_reservation),
        (&mut new.cpu_shares, wanted.cpu_shares),
        (&mut new.nano_cpus, wanted.nano_cpus),
        (&mut new.cpu_period, wanted.cpu_period),
        (&mut new.cpu_quota, wanted.cpu_quota),
    ] {
        *to = set(from).or(*to);
    }
    // What was twice the old memory stays what it was.
    new.memory_swap = set(wanted.memory_swap).or(with_swap(old)).or(old.memory_swap);
    // A 0 was given, and means no limit.
    new.pids_limit = wanted.pids_limit.or(old.pids_limit);
    for (to, from) in
        [(&mut new.cpuset_cpus, &wanted.cpuset_cpus), (&mut new.cpuset_mems, &wanted.cpuset_mems)]
    {
        if let Some(list) = from.as_ref().filter(|list| !list.is_empty()) {
            *to = Some(list.clone());
        }
    }
    if let Some(policy) = wanted.restart_policy.as_ref().filter(|policy| {
        policy.name.is_some_and(|name| name != bollard_stubs::models::RestartPolicyNameEnum::EMPTY)
    }) {
        new.restart_policy = Some(policy.clone());
    }
    Ok(new)
}

/// Memory and swap together, as a limit of memory alone implies it.
fn with_swap(host: &HostConfig) -> Option<i64> {
    let memory = host.memory.filter(|memory| *memory > 0)?;
    Some(host.memory_swap.filter(|swap| *swap != 0).unwrap_or(memory.saturating_mul(2)))
}

/// The limits that are other ones now.
fn changed(old: &HostConfig, new: &HostConfig) -> Result<Limits> {
    let number = |old: Option<i64>, new: Option<i64>| {
        new.filter(|_| old != new).and_then(|new| u64::try_from(new).ok()).filter(|new| *new > 0)
    };
    let list = |old: &Option<String>, new: &Option<String>| -> Result<Option<NumberList>> {
        let text = new.as_deref().filter(|text| old.as_deref() != Some(text) && !text.is_empty());
        text.map(str::parse).transpose().map_err(|reason: String| Error::invalid(reason))
    };
    let mut limits = Limits {
        memory_reservation: number(old.memory_reservation, new.memory_reservation),
        cpu_shares: number(old.cpu_shares, new.cpu_shares),
        cpus: list(&old.cpuset_cpus, &new.cpuset_cpus)?,
        memory_nodes: list(&old.cpuset_mems, &new.cpuset_mems)?,
        ..Limits::default()
    };
    let memory = new.memory.filter(|memory| *memory > 0).map(|memory| memory as u64);
    if (old.memory, with_swap(old)) != (new.memory, with_swap(new)) {
        limits.memory = memory;
        // -1 is no limit, which the kernel writes as the largest number.
        limits.memory_and_swap = with_swap(new).map(|both| u64::try_from(both).unwrap_or(i64::MAX as u64));
    }
    let cpu = |host: &HostConfig| match host.nano_cpus.filter(|nano| *nano > 0) {
        Some(nano) => Some(Cpu::from_nano(nano as u64)),
        None => {
            let quota = u64::try_from(host.cpu_quota?).ok().filter(|quota| *quota > 0)?;
            let period = host.cpu_period.and_then(|period| u64::try_from(period).ok());
            Some(Cpu { quota, period: period.filter(|period| *period > 0).unwrap_or(100_000) })
        }
    };
    limits.cpu = cpu(new).filter(|_| cpu(old) != cpu(new));
    if old.pids_limit != new.pids_limit {
        let limit = new.pids_limit.and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0);
        // No limit, or one that is none.
        limits.pids = Some(limit.unwrap_or(MOST_PROCESSES).min(MOST_PROCESSES));
    }
    Ok(limits)
}
