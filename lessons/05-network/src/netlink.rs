//! Talking to the kernel about its network: rtnetlink.
//!
//! A netlink socket carries *messages*: a request has a sequence number, and the kernel answers
//! with an acknowledgement of that number, which holds 0 or an errno. Several requests may go in
//! one send; the kernel carries them out in their order, **and goes on after one that failed**.
//! So all answers are read, and the first refusal is what is reported.
//!
//! A socket speaks of the network namespace in which it was opened, for ever.
//!
//! See netlink(7), rtnetlink(7); RFC 3549.

use std::io;

use namespaces::{Errno, Result, step};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REPLACE,
    NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The kernel fills at most 32 KiB when it lists something (`netlink_dump`).
const ANSWER: usize = 32 * 1024;

/// A socket to the kernel's network configuration.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// One thing that is asked of the kernel, and how to call it when it is refused.
pub struct Request {
    doing: String,
    flags: u16,
    message: RouteNetlinkMessage,
}

impl Request {
    /// Make something that must not exist yet. `doing` is for the error: "adding the address".
    pub fn create(doing: impl Into<String>, message: RouteNetlinkMessage) -> Request {
        Request { doing: doing.into(), flags: NLM_F_CREATE | NLM_F_EXCL, message }
    }

    /// Make something, or change it where it exists.
    pub fn set(doing: impl Into<String>, message: RouteNetlinkMessage) -> Request {
        Request { doing: doing.into(), flags: NLM_F_CREATE | NLM_F_REPLACE, message }
    }

    /// Change, or delete, something that must exist.
    pub fn change(doing: impl Into<String>, message: RouteNetlinkMessage) -> Request {
        Request { doing: doing.into(), flags: 0, message }
    }
}

/// The kernel's refusal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub errno: i32,
    /// What was being done, and the kernel's own words where it has some.
    pub detail: String,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        let (errno, detail) = error.errno();
        Refused { errno, detail }
    }
}

impl Errno for Refused {
    fn errno(&self) -> (i32, String) {
        (self.errno, self.detail.clone())
    }
}

impl Netlink {
    /// Opens a socket in the network namespace in which the calling thread is.
    pub fn open() -> Result<Netlink> {
        step("open rtnetlink socket", "", || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            // From here on only the kernel (port 0) can send us anything.
            socket.connect(&SocketAddr::new(0, 0))?;
            // Answers repeat the header of the request only, and may then say why in words.
            socket.set_cap_ack(true)?;
            socket.set_ext_ack(true)?;
            Ok::<_, io::Error>(Netlink { socket, sequence: 0 })
        })
    }

    /// Sends the requests together and waits until each has been answered.
    ///
    /// # Errors
    /// The first refusal. Requests after it may have been carried out.
    // ANCHOR: send
    pub fn send(&mut self, requests: Vec<Request>) -> Result<(), Refused> {
        let first = self.sequence.wrapping_add(1);
        let mut packet = Vec::new();
        let mut unanswered = Vec::new();
        for request in requests {
            self.put(&mut packet, request.flags | NLM_F_ACK, request.message);
            unanswered.push(Some(request.doing));
        }
        self.socket.send(&packet, 0)?;

        let mut refused = None;
        while unanswered.iter().any(Option::is_some) {
            for answer in self.receive()? {
                let place = answer.header.sequence_number.wrapping_sub(first) as usize;
                let Some(doing) = unanswered.get_mut(place).and_then(Option::take) else { continue };
                if let NetlinkPayload::Error(error) = &answer.payload
                    && error.code.is_some()
                {
                    let errno = error.raw_code().abs();
                    let detail = match words(answer.header.flags, &error.header) {
                        Some(words) => format!("{doing}: {words}"),
                        None => doing,
                    };
                    refused.get_or_insert(Refused { errno, detail });
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }
    // ANCHOR_END: send

    /// Asks for a list: all links, addresses or routes.
    pub fn list(&mut self, request: RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, Refused> {
        // What is changed while it is listed makes the list unsound: the kernel marks it so.
        loop {
            let (found, sound) = self.list_once(request.clone())?;
            if sound {
                return Ok(found);
            }
        }
    }

    fn list_once(
        &mut self,
        request: RouteNetlinkMessage,
    ) -> Result<(Vec<RouteNetlinkMessage>, bool), Refused> {
        let mut packet = Vec::new();
        self.put(&mut packet, NLM_F_DUMP, request);
        self.socket.send(&packet, 0)?;
        let (mut found, mut sound) = (Vec::new(), true);
        loop {
            for answer in self.receive()? {
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                sound &= answer.header.flags & NLM_F_DUMP_INTR == 0;
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => found.push(message),
                    NetlinkPayload::Done(_) => return Ok((found, sound)),
                    NetlinkPayload::Error(error) => return Err(error.to_io().into()),
                    _ => {}
                }
            }
        }
    }

    /// Asks for one thing. `None`: there is no such thing.
    pub fn get(&mut self, request: RouteNetlinkMessage) -> Result<Option<RouteNetlinkMessage>, Refused> {
        let mut packet = Vec::new();
        self.put(&mut packet, 0, request);
        self.socket.send(&packet, 0)?;
        loop {
            for answer in self.receive()? {
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => return Ok(Some(message)),
                    NetlinkPayload::Error(error) if error.raw_code() == -libc::ENODEV => return Ok(None),
                    NetlinkPayload::Error(error) => return Err(error.to_io().into()),
                    _ => {}
                }
            }
        }
    }

    /// Appends a message to a packet, with the next sequence number.
    fn put(&mut self, packet: &mut Vec<u8>, flags: u16, message: RouteNetlinkMessage) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let start = packet.len();
        packet.resize(start + message.buffer_len().next_multiple_of(ALIGN), 0);
        message.serialize(&mut packet[start..]);
    }

    /// Reads one packet of answers.
    fn receive(&self) -> Result<Vec<NetlinkMessage<RouteNetlinkMessage>>, io::Error> {
        let mut packet = Vec::with_capacity(ANSWER);
        loop {
            match self.socket.recv(&mut packet, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        messages(&packet)
    }
}

/// The messages of a packet.
fn messages(packet: &[u8]) -> Result<Vec<NetlinkMessage<RouteNetlinkMessage>>, io::Error> {
    let mut messages = Vec::new();
    let mut rest = packet;
    while !rest.is_empty() {
        let message = NetlinkMessage::deserialize(rest).map_err(io::Error::other)?;
        // At least a header's: `deserialize` refuses less, so this comes to an end.
        let length = (message.header.length as usize).next_multiple_of(ALIGN);
        messages.push(message);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(messages)
}

/// Messages and attributes begin at multiples of this (`NLMSG_ALIGNTO`).
const ALIGN: usize = 4;

/// The sentence with which the kernel explains a refusal, if there is one: an attribute after the
/// header of the request that the answer repeats (`NLMSGERR_ATTR_MSG`).
fn words(flags: u16, after_code: &[u8]) -> Option<String> {
    const REQUEST_HEADER: usize = 16;
    const MESSAGE: u16 = 1;
    if flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let attributes = after_code.get(REQUEST_HEADER..)?;
    let text = NlasIterator::new(attributes).flatten().find(|attribute| attribute.kind() == MESSAGE)?;
    Some(String::from_utf8_lossy(text.value()).trim_end_matches('\0').to_owned())
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::LinkMessage;
    use proptest::prelude::*;

    use super::*;

    /// What the kernel answers when it is asked for all interfaces: one packet, as it came.
    fn answer() -> Vec<u8> {
        let mut netlink = Netlink::open().unwrap();
        let mut packet = Vec::new();
        netlink.put(&mut packet, NLM_F_DUMP, RouteNetlinkMessage::GetLink(LinkMessage::default()));
        netlink.socket.send(&packet, 0).unwrap();
        let mut packet = Vec::with_capacity(ANSWER);
        netlink.socket.recv(&mut packet, 0).unwrap();
        packet
    }

    #[test]
    fn an_answer_that_is_cut_short_is_an_error_or_the_messages_that_are_whole() {
        let whole = answer();
        let all = messages(&whole).unwrap();
        assert!(matches!(all[0].payload, NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(_))));
        let first = all[0].header.length as usize;
        for length in 0..whole.len() {
            match messages(&whole[..length]) {
                Ok(found) => {
                    assert!(found.len() <= all.len() && (length == 0 || length >= first), "{length}")
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn a_message_that_says_it_is_shorter_than_its_header_or_longer_than_the_packet_is_an_error() {
        let whole = answer();
        for length in [0, 1, 15, whole.len() as u32 + 1, u32::MAX - 2, u32::MAX] {
            let mut packet = whole.clone();
            packet[..4].copy_from_slice(&length.to_ne_bytes());
            let error = messages(&packet).unwrap_err().to_string();
            assert!(error.contains("length"), "{length}: {error}");
        }
    }

    #[test]
    fn a_refusal_s_words_are_read_only_where_there_are_some() {
        let with = |text: &[u8]| {
            let mut after = vec![0; 16];
            after.extend((text.len() as u16 + 4).to_ne_bytes());
            after.extend(1_u16.to_ne_bytes());
            after.extend(text);
            after
        };
        assert_eq!(words(NLM_F_ACK_TLVS, &with(b"no such boat\0")).as_deref(), Some("no such boat"));
        assert_eq!(words(0, &with(b"no such boat\0")), None);
        assert_eq!(words(NLM_F_ACK_TLVS, &with(b"\xff\xfe\0\0")).as_deref(), Some("\u{fffd}\u{fffd}"));
        for length in 0..20 {
            assert_eq!(words(NLM_F_ACK_TLVS, &with(b"boat")[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_of_answers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = messages(&bytes);
            let _ = words(NLM_F_ACK_TLVS, &bytes);
        }

        #[test]
        fn nor_does_an_answer_in_which_some_bytes_were_changed(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9)
        ) {
            let mut packet = answer();
            for (place, byte) in changes {
                let place = place.index(packet.len());
                packet[place] = byte;
            }
            let _ = messages(&packet);
        }
    }
}
