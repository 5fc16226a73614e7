//! Statistics of the second version.

use std::path::Path;

use namespaces::Result;

use super::Group;
use crate::files::{limit, number, read_if_there, table};
use crate::statistics::{BlockIo, CpuTime, Memory, Pids, Statistics};
use crate::v1::numbers;

impl Group {
    pub(crate) fn statistics(&self) -> Result<Statistics> {
        let group = self.folder.as_path();
        Ok(Statistics {
            memory: memory(group)?,
            cpu: Some(cpu(group)?),
            pids: pids(group)?,
            block_io: block_io(group)?,
        })
    }
}

fn memory(group: &Path) -> Result<Option<Memory>> {
    let file = |name: &str| group.join(format!("memory.{name}"));
    let Some(used) = number(&file("current"))? else { return Ok(None) };
    let details = table(&file("stat"))?;
    Ok(Some(Memory {
        used,
        peak: number(&file("peak"))?,
        limit: limit(&file("max"))?,
        swap: number(&file("swap.current"))?,
        inactive_file: details.get("inactive_file").copied().unwrap_or(0),
        oom_kills: table(&file("events"))?.get("oom_kill").copied().unwrap_or(0),
        details,
    }))
}

/// Times are there in every group; what the quota does, only with the controller. Microseconds.
fn cpu(group: &Path) -> Result<CpuTime> {
    let all = table(&group.join("cpu.stat"))?;
    let count = |name: &str| all.get(name).copied().unwrap_or(0);
    let time = |name: &str| count(name).saturating_mul(1000);
    Ok(CpuTime {
        total: time("usage_usec"),
        user: time("user_usec"),
        system: time("system_usec"),
        by_processor: vec![],
        periods: count("nr_periods"),
        throttled_periods: count("nr_throttled"),
        throttled: time("throttled_usec"),
    })
}

fn pids(group: &Path) -> Result<Option<Pids>> {
    let Some(current) = number(&group.join("pids.current"))? else { return Ok(None) };
    let refused = table(&group.join("pids.events"))?.get("max").copied().unwrap_or(0);
    Ok(Some(Pids { current, limit: limit(&group.join("pids.max"))?, refused }))
}

/// Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`.
fn block_io(group: &Path) -> Result<Option<Vec<BlockIo>>> {
    let Some(text) = read_if_there(&group.join("io.stat"))? else { return Ok(None) };
    let device = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = numbers(words.next()?)?;
        let mut device = BlockIo { major, minor, ..BlockIo::default() };
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let value = value.parse().unwrap_or(0);
            match name {
                "rbytes" => device.read_bytes = value,
                "wbytes" => device.written_bytes = value,
                "rios" => device.reads = value,
                "wios" => device.writes = value,
                _ => {}
            }
        }
        Some(device)
    };
    Ok(Some(text.lines().filter_map(device).collect()))
}
