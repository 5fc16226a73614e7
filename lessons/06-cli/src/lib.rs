//! Lesson 6: the container's life cycle.
pub mod log;
pub mod record;
