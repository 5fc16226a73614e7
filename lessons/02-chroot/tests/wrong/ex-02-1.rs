//! The tests say: Does the working directory stay outside of the new root?
    let lower = ".escape";
    let _ = nix::unistd::mkdir(lower, nix::sys::stat::Mode::S_IRWXU);
    step("chroot to", lower, || chroot(lower))?;
    step("change directory to", "/", || chdir("/"))?;
    for _ in 0..64 {
        step("change directory to", "..", || chdir(".."))?;
    }
    step("chroot to", ".", || chroot("."))?;
    step("change directory to", "/", || chdir("/"))
