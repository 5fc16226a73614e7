//! # Lesson 1: namespaces
mod channel;
pub mod step;

pub use step::{Error, Result, step};
