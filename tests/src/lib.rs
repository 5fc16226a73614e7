//! The whole system, tested for real.
//!
//! A *case* ([`case`]) is one sentence about canoa that must be true. It runs in a *lab* of its own
//! ([`lab`]): as root behind fresh namespaces ([`walls`]) and in a cgroup of its own ([`cgroup`]), as an
//! ordinary user with folders of its own. There it calls one program with Docker's command line
//! ([`program`]) and looks at what comes out and at what the kernel shows.
//!
//! Nothing of a case outlives it: its processes die with its pid namespace, its mounts and interfaces
//! with the others, and whoever started it removes its cgroup and its folder. What even a SIGKILL of
//! that one leaves behind is swept when the tests are started again ([`sweep`]).

// All of this is for tests only: what isn't as expected has failed.
#![allow(clippy::expect_used)]

pub mod case;
pub mod certificates;
pub mod cgroup;
pub mod clients;
pub mod engine;
pub mod footprint;
pub mod image;
pub mod lab;
pub mod need;
pub mod program;
pub mod promise;
pub mod registry;
pub mod run;
pub mod sweep;
pub mod terminal;
pub mod walls;
pub mod wire;
