//! How the program `canoa` is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A hash of the whole program inside it: src/build_id.rs says what for.
    println!("cargo::rustc-link-arg-bins=-Wl,--build-id");
    // A monitor is started for each container and each exec, and what its start costs is mostly
    // relocations: as a position-independent program 1.6 ms and 776 KB of memory of its own each,
    // without 0.85 ms and 68 KB. The price: the engine's own code lies at the same address in
    // every run (its libraries, stack and heap are still randomised), which makes a memory error in
    // it easier to exploit. Rust is what keeps such errors out; who weighs it otherwise deletes
    // this line.
    println!("cargo::rustc-link-arg-bins=-no-pie");
}
