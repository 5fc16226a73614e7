//! What the learner can ask for, one file each.

pub mod answer;
pub mod check;
pub mod prove;
pub mod start;
pub mod status;
pub mod watch;
