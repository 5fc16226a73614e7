//! What a container may use.

use namespaces::flags::Flags;
use namespaces::{Error, Result};

use crate::{DeviceRule, NumberList, parse_size};

/// Limits; `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Memory in bytes. Who wants more is killed by the kernel.
    pub memory: Option<u64>,
    /// Memory and swap together, in bytes. Docker's default is twice the memory.
    pub memory_and_swap: Option<u64>,
    /// Memory in bytes that is taken from it last when the machine runs short of it.
    pub memory_reservation: Option<u64>,
    /// At the limit of memory a process waits for some instead of being killed (first version only).
    pub oom_kill_disable: bool,
    /// Processor time.
    pub cpu: Option<Cpu>,
    /// How much processor time it gets when others want some, too: 1024 is what each gets by itself.
    pub cpu_shares: Option<u64>,
    /// The only processors on which it may run.
    pub cpus: Option<NumberList>,
    /// The only memory nodes from which it gets memory, on a machine that has several.
    pub memory_nodes: Option<NumberList>,
    /// Processes and threads. At the limit, `fork` fails with `EAGAIN`.
    pub pids: Option<u64>,
    /// Which devices may be used, the last rule that fits decides. Empty: no rules, so all.
    pub devices: Vec<DeviceRule>,
}

/// The shares that a group can have, in the kernel's own bounds (`MIN_SHARES`, `MAX_SHARES`).
const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;

impl Limits {
    /// The flags of the lessons' programs that are read here.
    pub const FLAGS: [&str; 5] = ["memory", "cpus", "cpu-shares", "cpuset-cpus", "pids"];

    /// What they ask for: `--memory 64m`, `--cpus 0.5`, `--cpu-shares 512`, `--cpuset-cpus 0-1`,
    /// `--pids 20`.
    ///
    /// # Errors
    /// Names the flag whose value makes no sense.
    pub fn from_flags(flags: &Flags) -> Result<Self> {
        let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
        let memory = value(flags, "memory", parse_size)?;
        let limits = Limits {
            memory,
            memory_and_swap: memory.map(|bytes| bytes.saturating_mul(2)),
            cpu: value(flags, "cpus", Cpu::parse)?,
            cpu_shares: value(flags, "cpu-shares", number)?,
            cpus: value(flags, "cpuset-cpus", str::parse)?,
            pids: value(flags, "pids", number)?,
            devices: DeviceRule::docker(),
            ..Limits::default()
        };
        limits.check().map(|()| limits)
    }

    /// Whether these make sense, on whatever machine. It is asked before anything is made.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: &str, value: &dyn std::fmt::Display, why: &str| {
            Err(Error::new("set limit", format!("{what} {value}"), why))
        };
        match self {
            Limits { memory: Some(0), .. } => wrong("memory", &0, "nothing can run in no memory"),
            Limits { memory: Some(memory), memory_and_swap: Some(both), .. } if both < memory => {
                wrong("memory and swap", both, "together they can't be less than the memory alone")
            }
            Limits { pids: Some(0), .. } => wrong("pids", &0, "the container itself is one process"),
            Limits { cpu_shares: Some(shares), .. } if !SHARES.contains(shares) => {
                wrong("cpu shares", shares, "there are from 2 to 262144")
            }
            Limits { cpu: Some(cpu), .. } if !cpu.is_possible() => wrong(
                "cpu",
                &format!("{} of {} microseconds", cpu.quota, cpu.period),
                "the kernel wants a period of 1000 to 1000000 microseconds, and a quota of 1000 at least",
            ),
            _ => self.devices.iter().try_for_each(DeviceRule::check),
        }
    }

    /// Whether anything was asked for that only a cgroup gives. (Rules for devices were not asked
    /// for by the user: where no cgroup can be made, no device can be made either.)
    pub fn wanted(&self) -> bool {
        *self != Limits { devices: self.devices.clone(), ..Limits::default() }
    }
}

fn value<T>(
    flags: &Flags,
    name: &str,
    parse: impl Fn(&str) -> std::result::Result<T, String>,
) -> Result<Option<T>> {
    let wrong = |reason| Error::new("set limit", format!("--{name}"), reason);
    flags.text(name)?.map(parse).transpose().map_err(wrong)
}

// ANCHOR: cpu
/// `quota` microseconds of processor time in every `period` of as many. Half a processor is
/// 50,000 of 100,000; two are 200,000 of 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// Microseconds in a period.
    pub quota: u64,
    /// The period in microseconds.
    pub period: u64,
}
// ANCHOR_END: cpu

impl Cpu {
    /// Docker's `--cpus`: how many processors, in billionths of one.
    pub fn from_nano(nano_cpus: u64) -> Self {
        let period = 100_000;
        Cpu { quota: (u128::from(nano_cpus) * u128::from(period) / 1_000_000_000) as u64, period }
    }

    /// As people write it: `0.5`, `2`.
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?}: write how many processors, 0.01 at least, as in 0.5");
        // A float's own parser would take `inf` and `1e3`.
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let cpus: f64 = text.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        let cpu = Cpu::from_nano((cpus * 1e9).round() as u64);
        if cpu.is_possible() { Ok(cpu) } else { Err(wrong()) }
    }

    /// The kernel's bounds: `min_cfs_quota_period`, `max_cfs_quota_period`, `max_cfs_runtime`.
    fn is_possible(self) -> bool {
        (1_000..=1_000_000).contains(&self.period) && (1_000..=17_592_186_044).contains(&self.quota)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(words: &[&str]) -> Result<Limits> {
        let words = words.iter().map(std::ffi::OsString::from);
        Limits::from_flags(&Flags::parse(words, &Limits::FLAGS, &[]).unwrap())
    }

    #[test]
    fn half_a_processor_is_half_of_each_period() {
        assert_eq!(Cpu::from_nano(500_000_000), Cpu { quota: 50_000, period: 100_000 });
        assert_eq!(Cpu::from_nano(2_000_000_000), Cpu { quota: 200_000, period: 100_000 });
        assert_eq!(Cpu::parse("0.07"), Ok(Cpu { quota: 7_000, period: 100_000 }));
        // Nothing overflows.
        assert_eq!(Cpu::from_nano(u64::MAX).period, 100_000);
    }

    #[test]
    fn flags_become_limits() {
        let limits =
            from(&["--memory", "64m", "--cpus", "1.5", "--pids", "20", "--cpuset-cpus", "0-1"]).unwrap();
        assert_eq!((limits.memory, limits.memory_and_swap), (Some(64 << 20), Some(128 << 20)));
        assert_eq!(limits.cpu, Some(Cpu { quota: 150_000, period: 100_000 }));
        assert_eq!((limits.pids, limits.cpus), (Some(20), Some("0,1".parse().unwrap())));
        assert!(!from(&[]).unwrap().wanted() && from(&["--cpu-shares", "2"]).unwrap().wanted());
    }

    #[test]
    fn a_flag_that_makes_no_sense_is_named_with_its_value() {
        for (flag, values) in [
            ("memory", &["64x", "-1", "1e3", "", "٣m", "99999999999t"][..]),
            ("cpus", &["0", "0.001", "-1", "inf", "NaN", "1e9", "", "1.2.3", "half", "99999999999999"]),
            ("cpu-shares", &["-1", "1.5", "", "x"]),
            ("cpuset-cpus", &["-1", "", "0-99999", "3-1", "x"]),
            ("pids", &["-1", "1.5", "", "99999999999999999999", "x"]),
        ] {
            for value in values {
                let error = from(&[&format!("--{flag}"), value]).unwrap_err();
                assert_eq!(error.on, format!("--{flag}"), "{value:?}");
                assert!(error.hint.contains(value), "{value:?}: {error}");
            }
        }
        for (flag, value, word) in
            [("memory", "0", "memory 0"), ("pids", "0", "pids 0"), ("cpu-shares", "1", "cpu shares 1")]
        {
            assert_eq!(from(&[&format!("--{flag}"), value]).unwrap_err().on, word);
        }
    }

    #[test]
    fn limits_that_contradict_themselves_are_refused() {
        let cpu = |quota, period| Limits { cpu: Some(Cpu { quota, period }), ..Limits::default() };
        for limits in [
            Limits { memory: Some(2), memory_and_swap: Some(1), ..Limits::default() },
            Limits { cpu_shares: Some(262_145), ..Limits::default() },
            cpu(999, 100_000),
            cpu(u64::MAX, 100_000),
            cpu(1_000, 0),
            cpu(1_000, 1_000_001),
            Limits {
                devices: vec![DeviceRule { kind: 'x', ..DeviceRule::docker()[0].clone() }],
                ..Limits::default()
            },
            Limits {
                devices: vec![DeviceRule { access: "rwx".into(), ..DeviceRule::docker()[0].clone() }],
                ..Limits::default()
            },
        ] {
            assert_eq!(limits.check().unwrap_err().errno, 0, "{limits:?}");
        }
    }
}
