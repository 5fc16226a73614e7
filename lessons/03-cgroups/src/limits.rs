//! What a container may use.

use namespaces::flags::Flags;
use namespaces::{Error, Result};

use crate::parse_size;

/// Limits; `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Memory in bytes. Who wants more is killed by the kernel.
    pub memory: Option<u64>,
    /// Memory and swap together, in bytes. Docker's default is twice the memory.
    pub memory_and_swap: Option<u64>,
    /// Processor time.
    pub cpu: Option<Cpu>,
    /// Processes and threads. At the limit, `fork` fails with `EAGAIN`.
    pub pids: Option<u64>,
    /// Which devices may be used, the last rule that fits decides. Empty: no rules, so all.
    pub devices: Vec<DeviceRule>,
}

impl Limits {
    /// What the flags of the lessons' programs ask for: `--memory 64m`, `--cpus 0.5`, `--pids 20`.
    ///
    /// # Errors
    /// Names the flag whose value is no such number.
    pub fn from_flags(flags: &Flags) -> Result<Self> {
        let memory = number(flags, "memory", parse_size)?;
        let cpus = number(flags, "cpus", |text| text.parse::<f64>().map_err(|error| error.to_string()))?;
        let pids = number(flags, "pids", |text| text.parse::<u64>().map_err(|error| error.to_string()))?;
        Ok(Limits {
            memory,
            memory_and_swap: memory.map(|bytes| bytes.saturating_mul(2)),
            cpu: cpus.map(|cpus| Cpu::from_nano((cpus * 1e9) as u64)),
            pids,
            devices: DeviceRule::docker(),
        })
    }

    /// Whether anything was asked for that only a cgroup gives. (Rules for devices were not asked
    /// for by the user: where no cgroup can be made, no device can be made either.)
    pub fn wanted(&self) -> bool {
        self.memory.is_some() || self.cpu.is_some() || self.pids.is_some()
    }
}

fn number<T>(
    flags: &Flags,
    name: &str,
    parse: impl Fn(&str) -> std::result::Result<T, String>,
) -> Result<Option<T>> {
    let wrong = |reason| Error::new("set limit", format!("--{name}"), reason);
    flags.value(name).map(parse).transpose().map_err(wrong)
}

/// `quota` microseconds of processor time in every `period` of as many. Half a processor is
/// 50,000 of 100,000; two are 200,000 of 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// Microseconds in a period.
    pub quota: u64,
    /// The period in microseconds.
    pub period: u64,
}

impl Cpu {
    /// Docker's `--cpus`: how many processors, in billionths of one.
    pub fn from_nano(nano_cpus: u64) -> Self {
        let period = 100_000;
        Cpu { quota: (u128::from(nano_cpus) * u128::from(period) / 1_000_000_000) as u64, period }
    }
}

/// A rule for device files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRule {
    /// Whether it allows or denies.
    pub allow: bool,
    /// `c` for character, `b` for block, `a` for both.
    pub kind: char,
    /// Major number, or all.
    pub major: Option<u32>,
    /// Minor number, or all.
    pub minor: Option<u32>,
    /// Of `r`, `w`, `m` (read, write, mknod).
    pub access: String,
}

impl DeviceRule {
    /// Docker's default: nothing, then what every program needs; making a device file is allowed
    /// (package managers do), using it is not.
    pub fn docker() -> Vec<DeviceRule> {
        let rule = |allow, kind, major, minor, access: &str| DeviceRule {
            allow,
            kind,
            major,
            minor,
            access: access.into(),
        };
        let mut rules = vec![rule(false, 'a', None, None, "rwm")];
        for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)] {
            rules.push(rule(true, 'c', Some(major), Some(minor), "rwm"));
        }
        // Pseudo terminals.
        rules.push(rule(true, 'c', Some(136), None, "rwm"));
        rules.push(rule(true, 'c', None, None, "m"));
        rules.push(rule(true, 'b', None, None, "m"));
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_processor_is_half_of_each_period() {
        assert_eq!(Cpu::from_nano(500_000_000), Cpu { quota: 50_000, period: 100_000 });
        assert_eq!(Cpu::from_nano(2_000_000_000), Cpu { quota: 200_000, period: 100_000 });
        // Nothing overflows.
        assert_eq!(Cpu::from_nano(u64::MAX).period, 100_000);
    }
}
