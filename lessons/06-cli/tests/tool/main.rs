//! The tool through its binary, once as root and once as an ordinary user.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod crash;
mod lab;
mod life;
mod ports;
mod read;
mod steps;
mod terminal;

use lab::Test;

fn main() {
    let tests: Vec<Test> =
        [steps::TESTS, crash::TESTS, life::TESTS, ports::TESTS, read::TESTS, terminal::TESTS].concat();
    lab::main(&tests);
}
