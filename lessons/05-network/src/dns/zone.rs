//! Who is called what on a network: a file, one line for each container.
//!
//! ```text
//! 172.29.0.2 web www 3f1c90b2a7de
//! 172.29.0.3 db 0a94c1e8bb21
//! ```
//!
//! The address, the container's name, and whatever else it is called. The file is replaced as a
//! whole by who keeps the network's addresses, and read by the name server of every container on
//! it: there is nobody to be told of a change, and nobody who must be alive for it to be seen.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use namespaces::{Result, step};
use serde::{Deserialize, Serialize};

/// A network, for a name server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The network's name: `web` on it is also called `web.NAME`.
    pub name: String,
    /// Its file of names.
    pub file: PathBuf,
    /// Whether a way leads out of it. Where none does, no question goes out either: it could carry
    /// a secret in its name.
    pub leads_out: bool,
}

/// A container on a network: its address, and what it is called, its own name first.
pub type Entry = (Ipv4Addr, Vec<String>);

/// Writes the file of names, at one moment.
pub fn write(file: &Path, entries: &[Entry]) -> Result<()> {
    let lines = entries.iter().map(|(address, names)| format!("{address} {}\n", names.join(" ")));
    let (text, draft) = (lines.collect::<String>(), file.with_extension("draft"));
    step("write names", file.display(), || {
        fs::write(&draft, text)?;
        fs::rename(&draft, file)
    })
}

/// Whether this can be a name in the file, and in a question: letters, digits and the like, in
/// parts of at most 63 bytes (RFC 1035, 2.3.4).
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    name.len() <= 200 && name.split('.').all(|part| (1..=63).contains(&part.len()) && part.bytes().all(fits))
}

/// What is in such a file. A line that isn't one of ours is skipped.
pub fn parse(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        Some((address, words.map(str::to_owned).collect()))
    };
    text.lines().filter_map(entry).collect()
}

/// The networks of one container, as they are at the moment.
#[derive(Debug)]
pub struct Zones(Vec<Known>);

#[derive(Debug)]
struct Known {
    zone: Zone,
    entries: Vec<Entry>,
    /// Which file that was: number, size, and time of the last change.
    seen: Option<(u64, u64, i64, i64)>,
}

impl Zones {
    /// None of the files is read yet.
    pub fn new(zones: Vec<Zone>) -> Zones {
        Zones(zones.into_iter().map(|zone| Known { zone, entries: vec![], seen: None }).collect())
    }

    /// Whether questions may leave.
    pub fn lead_out(&self) -> bool {
        self.0.iter().any(|known| known.zone.leads_out)
    }

    /// The addresses of a name: on the first network that knows it. `None`: nobody is called so.
    pub fn addresses(&mut self, name: &str) -> Option<Vec<Ipv4Addr>> {
        self.0.iter_mut().find_map(|known| {
            known.refresh();
            let domain = format!(".{}", known.zone.name.to_ascii_lowercase());
            let short = name.to_ascii_lowercase();
            let short = short.strip_suffix(&domain).unwrap_or(&short);
            let is_called =
                |entry: &&Entry, name: &str| entry.1.iter().any(|other| other.eq_ignore_ascii_case(name));
            let called = |name: &str| -> Vec<Ipv4Addr> {
                known.entries.iter().filter(|entry| is_called(entry, name)).map(|entry| entry.0).collect()
            };
            // A container may be called `db.example.org` as well.
            [name, short].into_iter().map(called).find(|addresses| !addresses.is_empty())
        })
    }

    /// Who has this address: name and network.
    pub fn owner(&mut self, address: Ipv4Addr) -> Option<String> {
        self.0.iter_mut().find_map(|known| {
            known.refresh();
            let (_, names) = known.entries.iter().find(|entry| entry.0 == address)?;
            Some(format!("{}.{}", names.first()?, known.zone.name))
        })
    }
}

impl Known {
    /// Reads the file if it isn't the one that was read the last time.
    fn refresh(&mut self) {
        let seen = fs::metadata(&self.zone.file)
            .map(|file| (file.ino(), file.size(), file.mtime(), file.mtime_nsec()));
        match seen {
            Ok(seen) if self.seen == Some(seen) => {}
            Ok(seen) => {
                if let Ok(text) = fs::read_to_string(&self.zone.file) {
                    self.entries = parse(&text);
                    self.seen = Some(seen);
                }
            }
            // The network is gone: nobody is called anything. Another error passes.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (self.entries, self.seen) = (vec![], None);
            }
            Err(_) => {}
        }
    }
}
