//! Other people's programs that speak Docker's API: Python's SDK and what is written with it. They are
//! in `tests/clients`, and what they import is fetched once for each machine (`.ci/clients`).

use std::fs;
use std::path::PathBuf;

use crate::lab::Lab;
use crate::program::Ran;
use crate::registry::cache;

/// Where Python's packages lie.
pub fn python_packages() -> PathBuf {
    cache().join("python")
}

/// A program of `tests/clients`, and what it imports from there.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// Its file's name.
    pub name: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// `script!("sdk/run.py")`: the text comes along with the test program, which runs where there is no
/// source, too.
#[macro_export]
macro_rules! script {
    ($name:literal) => {
        $crate::clients::Script { name: $name, text: include_str!(concat!("../../clients/", $name)) }
    };
}

/// What every script imports.
const CHECK: &str = include_str!("../clients/check.py");

/// Runs a script with the lab's engine, which `DOCKER_HOST` names.
pub fn python(lab: &Lab, script: Script, arguments: &[&str]) -> Ran {
    lab.with_daemon();
    let folder = lab.folder.join("clients");
    let file = folder.join(script.name);
    let beside = file.parent().unwrap_or(&folder);
    fs::create_dir_all(beside).expect("the lab's folder is writable");
    fs::write(&file, script.text).expect("the lab's folder is writable");
    fs::write(beside.join("check.py"), CHECK).expect("the lab's folder is writable");
    // Debian's, whatever else is in the PATH: the packages were fetched with that one.
    let mut command = lab.program("/usr/bin/python3");
    command.arg("-B").arg(&file).args(arguments);
    command.env("DOCKER_HOST", format!("unix://{}", lab.socket().display()));
    command.env("PYTHONPATH", python_packages());
    // An image of Docker Hub's that removes what is left over; here the lab does.
    command.env("TESTCONTAINERS_RYUK_DISABLED", "true");
    lab.finish(&mut command)
}
