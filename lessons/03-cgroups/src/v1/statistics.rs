//! Statistics of the first version, a few files in each tree.

use std::collections::BTreeMap;
use std::path::Path;

use namespaces::Result;

use super::Groups;
use crate::files::{limit, number, read_if_there, table};
use crate::statistics::{BlockIo, CpuTime, Memory, Pids, Statistics};

impl Groups {
    pub(crate) fn statistics(&self) -> Result<Statistics> {
        let of = |name: &str| self.folders.get(name).map(std::path::PathBuf::as_path);
        Ok(Statistics {
            memory: of("memory").map(memory).transpose()?,
            cpu: of("cpuacct").map(|cpuacct| cpu(cpuacct, of("cpu"))).transpose()?,
            pids: of("pids").map(pids).transpose()?,
            block_io: of("blkio").map(block_io).transpose()?,
        })
    }
}

fn memory(group: &Path) -> Result<Memory> {
    let file = |name: &str| group.join(format!("memory.{name}"));
    let details = table(&file("stat"))?;
    Ok(Memory {
        used: number(&file("usage_in_bytes"))?.unwrap_or(0),
        peak: number(&file("max_usage_in_bytes"))?,
        limit: limit(&file("limit_in_bytes"))?,
        // `swap` of this group alone, `total_swap` with those below it.
        swap: details.get("total_swap").copied(),
        inactive_file: details.get("total_inactive_file").copied().unwrap_or(0),
        oom_kills: table(&file("oom_control"))?.get("oom_kill").copied().unwrap_or(0),
        details,
    })
}

fn cpu(cpuacct: &Path, cpu: Option<&Path>) -> Result<CpuTime> {
    let time = |name: &str| Ok(number(&cpuacct.join(name))?.unwrap_or(0));
    let by_processor = read_if_there(&cpuacct.join("cpuacct.usage_percpu"))?.unwrap_or_default();
    let quota = cpu.map_or(Ok(BTreeMap::new()), |cpu| table(&cpu.join("cpu.stat")))?;
    let count = |name: &str| quota.get(name).copied().unwrap_or(0);
    Ok(CpuTime {
        total: time("cpuacct.usage")?,
        user: time("cpuacct.usage_user")?,
        system: time("cpuacct.usage_sys")?,
        by_processor: by_processor.split_whitespace().filter_map(|time| time.parse().ok()).collect(),
        periods: count("nr_periods"),
        throttled_periods: count("nr_throttled"),
        throttled: count("throttled_time"),
    })
}

fn pids(group: &Path) -> Result<Pids> {
    Ok(Pids {
        current: number(&group.join("pids.current"))?.unwrap_or(0),
        limit: limit(&group.join("pids.max"))?,
        refused: table(&group.join("pids.events"))?.get("max").copied().unwrap_or(0),
    })
}

/// Lines such as `8:0 Read 4096`, in a file for bytes and one for operations.
fn block_io(group: &Path) -> Result<Vec<BlockIo>> {
    let mut devices: BTreeMap<(u32, u32), BlockIo> = BTreeMap::new();
    for (file, bytes) in [("io_service_bytes_recursive", true), ("io_serviced_recursive", false)] {
        let text = read_if_there(&group.join(format!("blkio.throttle.{file}")))?.unwrap_or_default();
        for line in text.lines() {
            let [device, what, value] = line.split_whitespace().collect::<Vec<_>>()[..] else { continue };
            let (Some((major, minor)), Ok(value)) = (numbers(device), value.parse()) else { continue };
            let device =
                devices.entry((major, minor)).or_insert(BlockIo { major, minor, ..BlockIo::default() });
            match (what, bytes) {
                ("Read", true) => device.read_bytes = value,
                ("Write", true) => device.written_bytes = value,
                ("Read", false) => device.reads = value,
                ("Write", false) => device.writes = value,
                _ => {}
            }
        }
    }
    Ok(devices.into_values().collect())
}

/// `8:0`
pub(crate) fn numbers(device: &str) -> Option<(u32, u32)> {
    let (major, minor) = device.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
