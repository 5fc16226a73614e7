//! The tests say: it ran before its release
    step::tell_parent(parent.as_raw_fd(), steps_wanted);
    let ready = || {
        die_with_parent()?;
        hide()
    };
    let Err(error) = ready().and_then(|()| run());
    let _ = channel::send(parent.as_raw_fd(), &Message::Failed(error));
