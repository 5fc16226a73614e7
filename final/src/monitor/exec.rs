//! One more process in a container that runs.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;

use lifecycle::{Client, Streams, start_in};
use namespaces::{Error, Process, Result, step};

use super::control::Control;
use super::{Options, plan, supervise};
use crate::bundle::{Event, Exec, Exited};

/// Reads its plan as the engine's first line, carries it out, and comes back when it has ended.
pub(super) fn exec(engine: UnixStream, options: Options) -> Result<()> {
    options.join()?;
    let mut line = String::new();
    let reader = step("copy descriptor", "", || engine.try_clone())?;
    // The engine says nothing more until it has heard of the start, so nothing is lost in the
    // reader's buffer.
    step("read plan", "", || BufReader::new(reader).read_line(&mut line))?;
    let exec: Exec = serde_json::from_str(&line).map_err(|error| Error::new("read plan", "", error))?;

    plan::own_oom_score(&exec.process)?;
    let (program, (parent, name)) = plan::exec(&exec)?;
    let container = Process { pid: exec.pid, start_time: exec.start_time };
    let running = start_in(container, (&parent, &name), &program)?;

    let process = Process::with_pid(running.child.pid().as_raw())?;
    let mut streams = Streams::new(running.ends, None, true);
    for (socket, wants) in options.attached {
        if let Ok(client) =
            Client::on_socket(socket, wants.stdin, [wants.stdout, wants.stderr], !streams.is_terminal())
        {
            streams.attach(client, &[]);
        }
    }
    let started = Event::Started { pid: process.pid, start_time: process.start_time };
    let mut control = Control::new(None, engine, started, None);
    let status = supervise::until_exit(&running.child, &mut streams, &mut control, None)?;
    let finished_at = lifecycle::record::now();
    control.tell_all(&Event::Exited(Exited { code: status.code(), oom_killed: false, finished_at }));
    Ok(())
}
