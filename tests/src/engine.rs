//! The engine under test: canoa, or Docker in its place.
//!
//! The tests call one program with Docker's command line. `CANOA_BIN` names it; without that, canoa is
//! built from this workspace. If it is Docker's own command, each lab gets a real dockerd: that is how
//! one finds out whether it is the test or canoa that is wrong about what Docker does. With
//! `CANOA_ENGINE=docker` canoa's command line drives a real dockerd.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Canoa,
    /// Docker's.
    Docker,
}

impl Kind {
    /// Whose command line is tested: `CANOA_BIN` names it.
    pub fn of_the_client() -> Kind {
        let named = env::var_os("CANOA_BIN").map(PathBuf::from).unwrap_or_default();
        match named.file_name().is_some_and(|name| name == "docker") {
            true => Kind::Docker,
            false => Kind::Canoa,
        }
    }

    /// Whose engine it talks to: the client's own, if `CANOA_ENGINE` doesn't say `docker`.
    pub fn of_the_engine() -> Kind {
        match env::var_os("CANOA_ENGINE").is_some_and(|engine| engine == "docker") {
            true => Kind::Docker,
            false => Kind::of_the_client(),
        }
    }

    /// Whether it is ours.
    pub fn is_canoa(self) -> bool {
        self == Kind::Canoa
    }

    /// The environment variable that tells the client where the engine listens.
    pub fn host_variable(self) -> &'static str {
        match self {
            Kind::Canoa => "CANOA_HOST",
            Kind::Docker => "DOCKER_HOST",
        }
    }
}

/// The program to test: `CANOA_BIN`, or canoa, built now, in the profile in which this was built.
pub fn binary() -> Result<PathBuf> {
    if let Some(binary) = env::var_os("CANOA_BIN") {
        return std::path::absolute(binary).context("CANOA_BIN");
    }
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "canoa", "--message-format", "json-render-diagnostics"]);
    build.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let built = build.stderr(Stdio::inherit()).output().context("starting cargo to build canoa")?;
    if !built.status.success() {
        bail!("canoa does not build");
    }
    // One JSON object a line; the one for a program says where it is.
    String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find(|message| message["target"]["name"] == "canoa" && message["executable"].is_string())
        .and_then(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built canoa but named no program")
}

/// The long form of a command: `container run` for `run`. Words that have none are returned alone.
pub fn long_form(command: &str) -> Vec<&str> {
    match command {
        "ps" => vec!["container", "ls"],
        "run" | "create" | "attach" | "wait" | "start" | "stop" | "kill" | "rm" | "exec" | "top" | "port"
        | "logs" | "export" | "cp" | "diff" | "stats" | "update" | "pause" | "unpause" => {
            vec!["container", command]
        }
        "images" => vec!["image", "ls"],
        "pull" => vec!["image", "pull"],
        "rmi" => vec!["image", "rm"],
        "info" | "events" => vec!["system", command],
        _ => vec![command],
    }
}
