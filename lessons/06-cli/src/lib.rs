//! # Lesson 6: the tool
//!
//! Lessons 1 to 5 make one process that is a container. This one makes a tool of it: containers
//! have names, outlive their process, can be listed, talked to, stopped and started again.
//!
//! 1. [`record`]: what is known of a container, on disk;
//! 2. [`Container::start`]: the whole story in one function, lesson by lesson;
//! 3. [`stdio`] and [`pty`]: what the process reads and writes;
//! 4. [`Streams`]: between the process, its log and whoever is attached;
//! 5. [`log`]: what was said, for later;
//! 6. [`terminal`]: the one of the person who types, and [`printable`](printable()): what it may be shown.

pub mod log;
mod printable;
pub mod pty;
pub mod record;
mod start;
pub mod stdio;
mod streams;
pub mod terminal;

pub use printable::printable;
pub use start::{Container, Network, Program, Running, start_in};
pub use streams::{Client, Streams};
