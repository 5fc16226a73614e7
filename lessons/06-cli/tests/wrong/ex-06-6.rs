//! The tests say: ex-06-6: it wasn't asked to end before it was killed
        if let Some(process) = alive(&record) {
            end(process, libc::SIGKILL, time)?;
            drop(self.at_rest(&record.id));
        }
        println!("{name}");
        Ok(0)
