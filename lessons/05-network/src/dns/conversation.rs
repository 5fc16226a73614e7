//! Questions over TCP: for answers that are too long for a datagram.
//!
//! Each message is preceded by its length in two bytes (RFC 1035, 4.2.2). A client may ask again
//! on the same connection; its next question is read when the one before is answered.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::socket::{MsgFlags, recv, send, setsockopt, sockopt::SndBuf};

use super::message::{self, Reply, reply};
use super::upstream::{Upstream, answers, gave_up, with_id};
use super::zone::Zones;
use super::{LONGEST_QUESTION, TALKING};

/// So many at the same time. One more, and the one that has been silent for longest ends.
const AT_ONCE: usize = 8;
/// How long nothing may happen in one.
const PATIENCE: Duration = Duration::from_secs(5);

/// The connections of the clients inside.
#[derive(Debug, Default)]
pub struct Conversations([Option<Conversation>; AT_ONCE]);

#[derive(Debug)]
struct Conversation {
    client: TcpStream,
    /// What it has said and isn't answered yet.
    heard: Vec<u8>,
    /// The question with which we have gone to a server of the host's.
    asked: Option<Asked>,
    deadline: Instant,
}

#[derive(Debug)]
struct Asked {
    socket: OwnedFd,
    server: usize,
    question: Vec<u8>,
    id: u16,
    /// What isn't sent yet, and what has come.
    unsent: Vec<u8>,
    heard: Vec<u8>,
}

/// The conversation can't go on.
struct Over;

impl Conversations {
    /// Takes a new client.
    pub(super) fn begin(&mut self, client: TcpStream, epoll: &Epoll) {
        let oldest = |place: &usize| self.0[*place].as_ref().map(|one| one.deadline);
        let place = (0..AT_ONCE).min_by_key(oldest).unwrap_or(0);
        if let Some(Conversation { asked: Some(_), .. }) = self.0[place] {
            // All are busy: this one has come in vain.
            return;
        }
        // An answer of any length must fit in the kernel's buffer: then nothing of it has to be kept
        // for a client that doesn't read.
        let ready = client.set_nonblocking(true).is_ok() && setsockopt(&client, SndBuf, &(128 << 10)).is_ok();
        let event = EpollEvent::new(EpollFlags::EPOLLIN, client_number(place));
        if ready && epoll.add(&client, event).is_ok() {
            let deadline = Instant::now() + PATIENCE;
            // Dropping the one that was here closes it, and takes it out of the epoll as well.
            self.0[place] = Some(Conversation { client, heard: vec![], asked: None, deadline });
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Something has happened in the one with this number.
    pub(super) fn turn(&mut self, number: usize, epoll: &Epoll, zones: &mut Zones, upstream: &mut Upstream) {
        let (place, from_server) = (number / 2, number % 2 == 1);
        let Some(one) = self.0.get_mut(place).and_then(Option::as_mut) else { return };
        one.deadline = Instant::now() + PATIENCE;
        let done = match (from_server, one.asked.is_some()) {
            (true, true) => one.listen_to_server(place, epoll, zones, upstream),
            // While it waits, all that we hear of it is its hanging up.
            (false, true) => Err(Over),
            (false, false) => one.listen().and_then(|()| one.answer(place, epoll, zones, upstream)),
            (true, false) => Ok(()),
        };
        if done.is_err() {
            self.end(place, epoll, upstream);
        }
    }

    /// Ends those in which nothing has happened for too long.
    pub(super) fn end_idle(&mut self, now: Instant, epoll: &Epoll, upstream: &mut Upstream) {
        for place in 0..AT_ONCE {
            if self.0[place].as_ref().is_some_and(|one| one.deadline <= now) {
                self.end(place, epoll, upstream);
            }
        }
    }

    fn end(&mut self, place: usize, epoll: &Epoll, upstream: &mut Upstream) {
        if let Some(asked) = self.0[place].take().and_then(|one| one.asked) {
            let _ = epoll.delete(&asked.socket);
            upstream.hang_up(asked.socket);
        }
    }
}

impl Conversation {
    fn listen(&mut self) -> Result<(), Over> {
        let mut bytes = [0; 2 + LONGEST_QUESTION];
        match self.client.read(&mut bytes) {
            Ok(0) => Err(Over),
            Ok(length) => {
                self.heard.extend(&bytes[..length]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(_) => Err(Over),
        }
    }

    /// Answers what was heard, up to the first question that has to be asked elsewhere.
    fn answer(
        &mut self,
        place: usize,
        epoll: &Epoll,
        zones: &mut Zones,
        upstream: &mut Upstream,
    ) -> Result<(), Over> {
        while let Some(question) = take_message(&mut self.heard, LONGEST_QUESTION)? {
            match reply(&question, zones, usize::from(u16::MAX)) {
                Reply::Answer(answer) => self.say(&answer)?,
                Reply::Nothing => return Err(Over),
                Reply::Ask if zones.lead_out() && self.ask(question.clone(), 0, place, epoll, upstream) => {
                    return Ok(());
                }
                Reply::Ask => self.say(&message::failure(&question))?,
            }
        }
        Ok(())
    }

    /// Goes to the first server, from this one on, to which a connection can be begun.
    fn ask(
        &mut self,
        question: Vec<u8>,
        first: usize,
        place: usize,
        epoll: &Epoll,
        upstream: &mut Upstream,
    ) -> bool {
        let mut left = first..upstream.servers();
        let Some((server, (socket, id))) = left.find_map(|server| Some((server, upstream.connect(server)?)))
        else {
            return false;
        };
        let event = EpollEvent::new(EpollFlags::EPOLLOUT, client_number(place) + 1);
        // Until then nothing more is read of the client.
        let _ = watch(epoll, &self.client, EpollFlags::empty(), client_number(place));
        let _ = epoll.add(&socket, event);
        let unsent = framed(&with_id(&question, id));
        self.asked = Some(Asked { socket, server, question, id, unsent, heard: vec![] });
        true
    }

    fn listen_to_server(
        &mut self,
        place: usize,
        epoll: &Epoll,
        zones: &mut Zones,
        upstream: &mut Upstream,
    ) -> Result<(), Over> {
        let Some(asked) = &mut self.asked else { return Ok(()) };
        let answer = match asked.turn(place, epoll) {
            Ok(None) => return Ok(()),
            Ok(Some(answer)) => Some(answer),
            Err(Over) => None,
        };
        let Some(Asked { socket, server, question, .. }) = self.asked.take() else { return Ok(()) };
        let _ = epoll.delete(&socket);
        upstream.hang_up(socket);
        let unsatisfied = answer.as_ref().is_none_or(|answer| gave_up(answer));
        if unsatisfied && self.ask(question.clone(), server + 1, place, epoll, upstream) {
            return Ok(());
        }
        match answer {
            Some(answer) => self.say(&[&question[..2], &answer[2..]].concat())?,
            None => self.say(&message::failure(&question))?,
        }
        watch(epoll, &self.client, EpollFlags::EPOLLIN, client_number(place)).map_err(|_| Over)?;
        self.answer(place, epoll, zones, upstream)
    }

    fn say(&mut self, message: &[u8]) -> Result<(), Over> {
        self.client.write_all(&framed(message)).map_err(|_| Over)
    }
}

impl Asked {
    /// Sends what isn't sent, or reads what has come: the answer, when it is whole.
    fn turn(&mut self, place: usize, epoll: &Epoll) -> Result<Option<Vec<u8>>, Over> {
        let socket = self.socket.as_raw_fd();
        if !self.unsent.is_empty() {
            match send(socket, &self.unsent, MsgFlags::MSG_NOSIGNAL) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => return Err(Over),
            }
            if self.unsent.is_empty() {
                watch(epoll, &self.socket, EpollFlags::EPOLLIN, client_number(place) + 1)
                    .map_err(|_| Over)?;
            }
            return Ok(None);
        }
        let mut bytes = [0; 4096];
        match recv(socket, &mut bytes, MsgFlags::empty()) {
            Ok(0) => return Err(Over),
            Ok(length) => self.heard.extend(&bytes[..length]),
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(_) => return Err(Over),
        }
        match take_message(&mut self.heard, usize::from(u16::MAX))? {
            Some(message) if answers(&message, self.id, &self.question) => Ok(Some(message)),
            Some(_) => Err(Over),
            None => Ok(None),
        }
    }
}

/// The first whole message of a stream, taken out of it.
fn take_message(stream: &mut Vec<u8>, longest: usize) -> Result<Option<Vec<u8>>, Over> {
    let Some(&[high, low]) = stream.first_chunk() else { return Ok(None) };
    let end = 2 + usize::from(u16::from_be_bytes([high, low]));
    if end > 2 + longest {
        return Err(Over);
    }
    if stream.len() < end {
        return Ok(None);
    }
    let message = stream[2..end].to_vec();
    stream.drain(..end);
    Ok(Some(message))
}

/// A message with its length before it.
fn framed(message: &[u8]) -> Vec<u8> {
    let message = &message[..message.len().min(usize::from(u16::MAX))];
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// What is waited for now. (Of an error and a hang-up one hears in any case.)
fn watch(epoll: &Epoll, socket: &impl AsFd, flags: EpollFlags, number: u64) -> nix::Result<()> {
    epoll.modify(socket, &mut EpollEvent::new(flags, number))
}

/// Each conversation has two numbers: the client's and, one more, the server's.
fn client_number(place: usize) -> u64 {
    TALKING + 2 * place as u64
}
