//! The tests say: ex-06-3: the record doesn't say that the start has failed
        if record.config.remove {
            self.records.remove(id)?;
            return outcome;
        }
        let code = outcome?;
        record.state.process = None;
        record.state.status = Status::Exited;
        record.state.finished_at = Some(now());
        record.state.exit_code = code;
        self.records.save(&record)?;
        Ok(code)
