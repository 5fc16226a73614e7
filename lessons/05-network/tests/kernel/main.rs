//! What the kernel shows of lesson 5's network, once as root and once as an ordinary user.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bridge;
mod cable;
mod dns;
mod forwarding;
mod frame;
mod isolation;
mod lab;
mod namespace;
mod nat;
mod network;
mod ports;
mod read;
mod same_address;
mod shared;

use lab::{As, Test};

fn main() {
    let tests: Vec<Test> = [
        same_address::TESTS,
        namespace::TESTS,
        bridge::TESTS,
        cable::TESTS,
        nat::TESTS,
        dns::TESTS,
        forwarding::TESTS,
        ports::TESTS,
        isolation::TESTS,
        network::TESTS,
        shared::TESTS,
    ]
    .concat();
    lab::main(&tests, &[As::Root, As::User], shared::helper)
}
