//! The tests say: ex-06-4: it was cut through the middle of a character
    let window = &bytes[..bytes.len().min(LONGEST)];
    match window.iter().position(|byte| *byte == b'\n') {
        Some(newline) => Some(newline + 1),
        None => (bytes.len() >= LONGEST).then_some(LONGEST),
    }
