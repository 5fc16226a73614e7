//! # Lesson 1: namespaces
//!
//! A container is a process that the kernel shows another world: other processes, another host
//! name, other mounts, another network. The kernel calls such a world a *namespace*, and gives
//! one to a process when it is made.
//!
//! Read in this order:
//!
//! 1. [`isolation`](Isolation): which namespaces, and [`Isolation::spawn`], which makes the process;
//! 2. [`PausedChild`]: it exists, and waits, while its parent prepares what only a parent can;
//! 3. [`exec`](exec()): it becomes the program;
//! 4. [`init`](init()): what PID 1 owes to the others;
//! 5. [`Namespaces`]: how one more process enters;
//! 6. [`Foreground`]: the terminal and the signals, lent to it while it runs.
//!
//! [`step`](step()) is the thread through all lessons: whatever is asked of the kernel is a step,
//! done, told, and if it fails made into an error that says what and on what.

mod channel;
mod child;
mod clone3;
mod command;
mod enter;
pub mod flags;
mod foreground;
mod hostname;
mod idmap;
mod init;
mod isolation;
mod process;
mod rootless;
mod signals;
mod step;

pub use child::{Child, PausedChild, Status};
pub use command::{Command, exec};
pub use enter::Namespaces;
pub use foreground::Foreground;
pub use hostname::set_hostname;
pub use idmap::{IdMap, IdMaps, in_user_namespace, only_one_id};
pub use init::init;
pub use isolation::Isolation;
pub use nix::sched::CloneFlags;
pub use process::{Process, die_with_parent, hide, pid_of};
pub use rootless::become_root;
pub use signals::{Caught, FORWARDED, Signals};
pub use step::{Errno, Error, Result, step};
