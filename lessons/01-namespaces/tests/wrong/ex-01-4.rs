//! The tests say: one SIGCHLD may stand for several that have ended
    loop {
        match wait_for(signals) {
            libc::SIGCHLD => match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == child => return code,
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return 128 + signal as i32,
                _ => {}
            },
            libc::SIGURG => {}
            signal => forward(child, signal),
        }
    }
