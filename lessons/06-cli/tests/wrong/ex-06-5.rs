//! The tests say: ex-06-5: the slave is locked
    let master = step("open", "/dev/ptmx", || open_terminal(Path::new("/dev/ptmx")))?;
    let number = step("number terminal", "", || {
        let mut number: libc::c_uint = 0;
        // SAFETY: this ioctl writes one unsigned int.
        Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &raw mut number) })?;
        Ok::<_, Errno>(number)
    })?;
    let path = PathBuf::from(format!("/dev/pts/{number}"));
    let slave = step("open", path.display(), || open_terminal(&path))?;
    Ok((master, slave))
