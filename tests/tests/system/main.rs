//! What canoa must do, one sentence a test. `cargo test -p e2e`, as root and as an ordinary user.
// This whole program is a test: what can't be unwrapped has failed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod at_once;
mod bad_input;
mod bollard_client;
mod compose;
mod copy;
mod daemon;
mod df;
mod docker_client;
mod events;
mod exit_codes;
mod fuzzed;
mod health;
mod lifecycle;
mod limits;
mod live;
mod mounts;
mod names;
mod network;
mod networks;
mod options;
mod paused;
mod platform;
mod ports;
mod privileges;
mod prune;
mod ps;
mod pull;
mod remote;
mod restart;
mod rows;
mod rude_clients;
mod run_flags;
mod same_words;
mod sdk;
mod sharing;
mod shell;
mod systemd;
mod testcontainers;
mod top;
mod volumes;
mod waits;

fn main() -> std::process::ExitCode {
    e2e::run::main(&[
        shell::CASES,
        run_flags::CASES,
        lifecycle::CASES,
        health::CASES,
        events::CASES,
        df::CASES,
        prune::CASES,
        exit_codes::CASES,
        pull::CASES,
        restart::CASES,
        limits::CASES,
        paused::CASES,
        options::CASES,
        platform::CASES,
        privileges::CASES,
        sharing::CASES,
        volumes::CASES,
        mounts::CASES,
        network::CASES,
        networks::CASES,
        names::CASES,
        ports::CASES,
        daemon::CASES,
        live::CASES,
        remote::CASES,
        same_words::CASES,
        systemd::CASES,
        docker_client::CASES,
        at_once::CASES,
        bad_input::CASES,
        fuzzed::CASES,
        rude_clients::CASES,
        copy::CASES,
        rows::CASES,
        waits::CASES,
        ps::CASES,
        top::CASES,
        sdk::CASES,
        compose::CASES,
        bollard_client::CASES,
        testcontainers::CASES,
    ])
}
