//! The tests say: ex-06-2: whoever was killed could not change the record's "running"
        loop {
            let lock = File::open(self.records.folder(id))?;
            let free = lock.try_lock().is_ok();
            let record = self.records.load(id)?;
            if record.state.status == lifecycle::record::Status::Running {
                anyhow::bail!("container {} is running: stop it first", record.name);
            }
            if free {
                return Ok((record, lock));
            }
            sleep(Duration::from_millis(5));
        }
