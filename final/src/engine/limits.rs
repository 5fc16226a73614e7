//! Limits as they were asked for: whether they make sense, and what this machine can't give of them.

use bollard_stubs::models::HostConfig;
use cgroups::{NumberList, Support, own_name};

use super::Engine;
use super::error::{Error, Result};

/// The least memory that Docker lets a container have, in bytes.
const LEAST_MEMORY: i64 = 6 << 20;

/// The longest quota that the kernel can reckon with, in microseconds: half a year (`MAX_BW` in
/// kernel/sched/sched.h).
const MOST_QUOTA: i64 = (1 << 44) - 1;

/// As many processes as a machine can have (the kernel's `PID_MAX_LIMIT`). The kernel refuses a larger limit,
/// which would be none.
pub const MOST_PROCESSES: u64 = 4 << 20;

/// Checks what is so on every machine, in Docker's words.
pub fn check(host: &HostConfig) -> Result<()> {
    check_memory(host)?;
    check_processors(host)
}

fn check_memory(host: &HostConfig) -> Result<()> {
    let number = |number: Option<i64>| number.unwrap_or(0);
    let (memory, swap) = (number(host.memory), number(host.memory_swap));
    let reservation = number(host.memory_reservation);
    let wrong = if memory != 0 && memory < LEAST_MEMORY {
        "Minimum memory limit allowed is 6MB"
    } else if memory == 0 && swap > 0 {
        "You should always set the Memory limit when using Memoryswap limit, see usage"
    } else if memory > 0 && swap > 0 && swap < memory {
        "Minimum memoryswap limit should be larger than memory limit, see usage"
    } else if reservation != 0 && reservation < LEAST_MEMORY {
        "Minimum memory reservation allowed is 6MB"
    } else if memory > 0 && reservation > memory {
        "Minimum memory limit can not be less than memory reservation limit, see usage"
    } else {
        return Ok(());
    };
    Err(Error::invalid(wrong))
}

fn check_processors(host: &HostConfig) -> Result<()> {
    let nano = host.nano_cpus.unwrap_or(0);
    if nano < 0 {
        return Err(Error::invalid("invalid NanoCpus: it is negative"));
    }
    let (period, quota) = (host.cpu_period.unwrap_or(0), host.cpu_quota.unwrap_or(0));
    if nano > 0 && (period > 0 || quota > 0) {
        return Err(Error::invalid(
            "Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set.",
        ));
    }
    if period != 0 && !(1_000..=1_000_000).contains(&period) {
        return Err(Error::invalid(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ));
    }
    if quota > 0 && quota < 1_000 {
        return Err(Error::invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)"));
    }
    if nano > 0 && nano < 10_000_000 {
        return Err(Error::invalid("Range of CPUs is from 0.01: fewer the kernel can't give"));
    }
    if quota > MOST_QUOTA {
        return Err(Error::invalid(format!("CPU cfs quota can not be more than {MOST_QUOTA}")));
    }
    let have = std::thread::available_parallelism().map_or(1, |count| count.get() as i64);
    if nano > have * 1_000_000_000 {
        return Err(Error::invalid(format!(
            "Range of CPUs is from 0.01 to {have}.00, as there are only {have} CPUs available"
        )));
    }
    match host.cpu_shares.unwrap_or(0) {
        shares if shares < 0 => {
            Err(Error::invalid(format!("invalid CPU shares ({shares}): value must be a positive integer")))
        }
        1 => Err(Error::invalid("the minimum allowed cpu-shares is 2")),
        shares if shares > 262_144 => Err(Error::invalid("the maximum allowed cpu-shares is 262144")),
        _ => Ok(()),
    }?;
    list(&host.cpuset_cpus, "cpus")?;
    list(&host.cpuset_mems, "mems").map(drop)
}

fn list(text: &Option<String>, what: &str) -> Result<Option<NumberList>> {
    let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = |reason| Error::invalid(format!("Invalid value {text} for cpuset {what}: {reason}"));
    text.parse().map(Some).map_err(wrong)
}

/// Takes out what this machine can't give where Docker goes on with a warning, and returns the
/// warnings. Where Docker would go on without a limit that was meant to protect the machine, canoa
/// doesn't: that stays in, and the start says what is missing.
///
/// # Errors
/// For processors or memory nodes that the machine doesn't have.
pub fn adapt(engine: &Engine, host: &mut HostConfig) -> Result<Vec<String>> {
    let asked = |number: Option<i64>| number.is_some_and(|number| number > 0);
    let (cpus, mems) = (list(&host.cpuset_cpus, "cpus")?, list(&host.cpuset_mems, "mems")?);
    let no_killing = host.oom_kill_disable == Some(true);
    let memory = asked(host.memory) || asked(host.memory_reservation) || no_killing;
    if !memory && cpus.is_none() && mems.is_none() {
        return Ok(Vec::new());
    }
    let support = engine.support();
    let mut warnings = Vec::new();
    for (wanted, have, what) in
        [(&cpus, &support.cpus, "CPUs"), (&mems, &support.memory_nodes, "memory nodes")]
    {
        if let Some(wanted) = wanted.as_ref().filter(|_| support.cpuset)
            && !wanted.without(have).is_empty()
        {
            return Err(Error::invalid(format!(
                "Requested {what} are not available - requested {wanted}, available: {have}"
            )));
        }
    }
    if !support.memory {
        return Ok(warnings);
    }
    if asked(host.memory) && host.memory_swap != Some(-1) && !support.swap {
        warnings.push(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory \
             limited without swap."
                .to_owned(),
        );
        host.memory_swap = Some(-1);
    }
    if asked(host.memory_reservation) && !support.reservation {
        warnings.push(
            "Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. \
             Limitation discarded."
                .to_owned(),
        );
        host.memory_reservation = None;
    }
    if no_killing && !support.oom_kill_disable {
        warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.".to_owned());
        host.oom_kill_disable = None;
    } else if no_killing && !asked(host.memory) {
        warnings.push(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the \
             system running out of resources."
                .to_owned(),
        );
    }
    Ok(warnings)
}

/// Looks which limits this machine gives to this engine, by making a group.
pub fn support(cgroup_parent: &str) -> Support {
    let looked = own_name().and_then(|name| Support::of_this_machine(cgroup_parent, &name));
    looked.unwrap_or_else(|error| {
        tracing::warn!("no limits can be set: {error}");
        Support::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::error::Kind;

    #[test]
    fn limits_that_make_no_sense_are_refused_in_dockers_words() {
        let words = [
            (r#"{"Memory":1048576}"#, "Minimum memory limit allowed is 6MB"),
            (r#"{"Memory":-1}"#, "Minimum memory limit allowed is 6MB"),
            (r#"{"MemorySwap":33554432}"#, "You should always set the Memory limit"),
            (r#"{"Memory":67108864,"MemorySwap":33554432}"#, "Minimum memoryswap limit should be larger"),
            (r#"{"MemoryReservation":1048576}"#, "Minimum memory reservation allowed is 6MB"),
            (r#"{"Memory":67108864,"MemoryReservation":134217728}"#, "Minimum memory limit can not be less"),
            (r#"{"NanoCpus":100000000000000}"#, "Range of CPUs is from 0.01 to"),
            (r#"{"NanoCpus":1000000000,"CpuQuota":50000}"#, "Conflicting options: Nano CPUs"),
            (r#"{"CpuPeriod":999}"#, "CPU cfs period can not be less than 1ms"),
            (r#"{"CpuQuota":999}"#, "CPU cfs quota can not be less than 1ms"),
            (r#"{"CpuShares":-1}"#, "invalid CPU shares (-1)"),
            (r#"{"CpuShares":1}"#, "the minimum allowed cpu-shares is 2"),
            (r#"{"CpuShares":262145}"#, "the maximum allowed cpu-shares is 262144"),
            (r#"{"CpusetCpus":"0-x"}"#, "Invalid value 0-x for cpuset cpus"),
            (r#"{"CpusetCpus":"0-4294967295"}"#, "Invalid value 0-4294967295 for cpuset cpus"),
            (r#"{"CpusetMems":"3-1"}"#, "Invalid value 3-1 for cpuset mems"),
        ];
        for (host, words) in words {
            let error = check(&serde_json::from_str(host).unwrap()).unwrap_err();
            assert!(error.kind == Kind::Invalid && error.message.contains(words), "{host}: {error}");
        }
    }

    #[test]
    fn limits_that_make_sense_are_taken() {
        for host in [
            "{}",
            r#"{"Memory":67108864,"MemorySwap":-1,"MemoryReservation":33554432,"OomKillDisable":true}"#,
            r#"{"CpuShares":2,"CpusetCpus":"0-1,3","CpusetMems":"0","PidsLimit":-1}"#,
            r#"{"CpuPeriod":50000,"CpuQuota":25000}"#,
        ] {
            check(&serde_json::from_str(host).unwrap()).unwrap();
        }
    }
}
