//! `canoa`: a container engine that its readers build themselves.
//!
//! One binary is the client, the daemon and the monitors. README.md beside this folder shows how
//! data flows through them.
#![allow(dead_code)]

mod bundle;

fn main() {}
