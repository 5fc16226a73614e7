//! The tests say: it has to be marked, and not closed, until execve has worked
    step("change directory to", command.directory.display(), || chdir(&command.directory))?;
    step("find the working directory", "", nix::unistd::getcwd)?;
    step("restore signals", "", restore_signals)?;
    step("unblock signals", "", || SigSet::all().thread_unblock())?;
    umask(Mode::from_bits_truncate(0o022));
    step("close descriptors", "from 3", || close_range(3, 0))?;
    let mut last = not_found(command);
    for path in candidates(command) {
        let error = become_program(&path, command);
        match error.errno {
            libc::ENOENT | libc::ENOTDIR => continue,
            libc::EACCES => last = error,
            _ => return Err(error),
        }
    }
    Err(last)
