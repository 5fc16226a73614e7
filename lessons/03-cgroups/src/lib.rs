//! # Lesson 3: limits
//!
//! Namespaces decide what a process sees; control groups decide how much it gets. Read in this
//! order:
//!
//! 1. [`Limits`]: what can be asked for;
//! 2. [`Layout`]: where this machine's controllers are, in which of the two versions;
//! 3. [`Cgroup`]: one face for both, over `v1` and `v2`;
//! 4. `device_filter`: why the second version needs a program in the kernel to deny a device.

mod cgroup;
mod device_filter;
mod files;
mod layout;
mod limits;
mod size;
mod v1;
mod v2;

pub use cgroup::{Cgroup, Usage, own_namespace, remove_parent};
pub use layout::Layout;
pub use limits::{Cpu, DeviceRule, Limits};
pub use size::parse_size;
