//! # Lesson 3: limits
//!
//! Namespaces decide what a process sees; control groups decide how much it gets. Read in this
//! order:
//!
//! 1. [`Limits`]: what can be asked for ([`DeviceRule`], [`NumberList`], [`parse_size`]);
//! 2. [`Layout`]: where this machine's controllers are, in which of the two versions, and `home`:
//!    where an ordinary user may make groups;
//! 3. [`Cgroup`]: one face for both, over `v1` and `v2`, and [`OwnGroup`]: gone with its program;
//! 4. [`Statistics`]: what a group has used;
//! 5. `device_filter`: why the second version needs a program in the kernel to deny a device.

mod cgroup;
mod device_filter;
mod device_rule;
mod files;
mod group_name;
mod home;
mod kill;
mod layout;
mod limits;
mod mounts;
mod number_list;
mod own_group;
mod size;
pub mod statistics;
mod support;
mod v1;
mod v2;

pub use cgroup::{Cgroup, own_namespace, remove_parent};
pub use device_rule::DeviceRule;
pub use group_name::{own_name, sweep};
pub use layout::Layout;
pub use limits::{Cpu, Limits};
pub use mounts::mounts;
pub use number_list::NumberList;
pub use own_group::OwnGroup;
pub use size::parse_size;
pub use statistics::Statistics;
pub use support::Support;
