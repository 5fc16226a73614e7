//! # Lesson 2: a file system of its own, and no way out of it
//!
//! Read in this order:
//!
//! 1. [`borrow`]: where the files come from, with nothing to download;
//! 2. [`chroot`]: the oldest way to change the root, and how to escape from it;
//! 3. [`Rootfs::enter`]: the way in that has no way back, over [`mount_api`], `pivot`, [`inside`],
//!    [`device`], [`sysctl`] and [`mask`];
//! 4. [`Privileges::drop_to`]: the powers that would lead out again, given up: [`capabilities`], and
//!    [`seccomp`] with its [`filter`], the names of the [`syscalls`] and the numbers that an
//!    [`architecture`] gives them;
//! 5. [`OwnBinary`]: the file of the host that still shows inside, our own program.

pub mod architecture;
pub mod borrow;
pub mod capabilities;
pub mod chroot;
pub mod device;
pub mod filter;
pub mod inside;
pub mod mask;
mod mount;
pub mod mount_api;
mod own_binary;
mod pivot;
mod privileges;
mod rootfs;
pub mod seccomp;
pub mod syscalls;
pub mod sysctl;
mod temporary;
mod user;

pub use device::Device;
pub use mount::{Mount, Source};
pub use own_binary::OwnBinary;
pub use privileges::Privileges;
pub use rootfs::{Rootfs, default_mounts};
pub use temporary::Root;
pub use user::User;

/// The flags of the lessons' programs that are read here: [`Mount::from_flags`], [`User::look_up`],
/// [`Privileges::from_flags`].
pub const FLAGS: [&str; 3] = ["volume", "user", "seccomp"];
